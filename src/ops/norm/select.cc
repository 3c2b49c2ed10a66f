// SPDX-License-Identifier: Apache-2.0
// Config + Target -> NormSpec: what is supported, and by which unit.
#include <cmath>

#include "src/base/check.h"
#include "src/cpu/rows.h"
#include "src/ops/norm/rooms.h"

namespace weft {
namespace {

constexpr int kMaxHeads = 1 << 16;
constexpr int kMaxHidden = 1 << 24;

}  // namespace

std::string to_string(const NormConfig& c) {
  const DType dtype_out = c.dtype_out == DType::none ? c.dtype : c.dtype_out;
  std::string text = std::string(name_of(c.kind)) + " norm of " + name_of(c.dtype) + " into " +
                     name_of(dtype_out) + ", hidden " + std::to_string(c.hidden);
  if (c.num_heads > 0) text += ", heads " + std::to_string(c.num_heads);
  if (c.dtype_weight != DType::none && c.dtype_weight != c.dtype) {
    text += std::string(", weight ") + name_of(c.dtype_weight);
  }
  if (c.weight_offset != 0.0f) text += " + " + std::to_string(c.weight_offset);
  return text + (c.residual ? ", residual added" : "");
}

NormConfig checked_config(NormConfig config) {
  check_dtype("dtype", config.dtype, kRowInputs);
  if (config.dtype_out == DType::none) config.dtype_out = config.dtype;
  check_dtype("dtype_out", config.dtype_out, kRowOutputs);
  if (config.dtype_weight == DType::none) config.dtype_weight = config.dtype;
  if (config.dtype_weight != DType::f32 && config.dtype_weight != config.dtype) {
    fail(ErrorKind::invalid_argument, "dtype_weight",
         std::string(name_of(config.dtype)) + " or f32", name_of(config.dtype_weight));
  }
  check_range("hidden", config.hidden, 1, kMaxHidden);
  check_range("num_heads", config.num_heads, 0, kMaxHeads);
  check_range("kind", static_cast<int>(config.kind), static_cast<int>(NormKind::rms),
              static_cast<int>(NormKind::layer));
  if (!(config.eps >= 0.0f) || !std::isfinite(config.eps)) {
    fail(ErrorKind::invalid_argument, "eps", "a finite number >= 0", std::to_string(config.eps));
  }
  if (!std::isfinite(config.weight_offset)) {
    fail(ErrorKind::invalid_argument, "weight_offset", "a finite number",
         std::to_string(config.weight_offset));
  }
  return config;
}

NormSpec select_norm(const NormConfig& config, const Target& target) {
  return {.unit = row_unit(target),
          .dtype = config.dtype,
          .dtype_out = config.dtype_out,
          .dtype_weight = config.dtype_weight,
          .hidden = config.hidden,
          .kind = config.kind};
}

}  // namespace weft
