// SPDX-License-Identifier: Apache-2.0
// Config + Target -> ActivationSpec: what is supported, and by which unit.
#include "src/base/check.h"
#include "src/cpu/rows.h"
#include "src/ops/activation/rooms.h"

namespace weft {
namespace {

constexpr int kMaxHidden = 1 << 24;

}  // namespace

std::string to_string(const ActivationConfig& c) {
  const DType dtype_out = c.dtype_out == DType::none ? c.dtype : c.dtype_out;
  return std::string(name_of(c.kind)) + " and multiply, " + name_of(c.dtype) + " into " +
         name_of(dtype_out) + ", hidden " + std::to_string(c.hidden);
}

ActivationConfig checked_config(ActivationConfig config) {
  check_dtype("dtype", config.dtype, kRowInputs);
  if (config.dtype_out == DType::none) config.dtype_out = config.dtype;
  check_dtype("dtype_out", config.dtype_out, kRowOutputs);
  check_range("kind", static_cast<int>(config.kind), static_cast<int>(ActivationKind::silu),
              static_cast<int>(ActivationKind::gelu_tanh));
  check_range("hidden", config.hidden, 1, kMaxHidden);
  return config;
}

ActivationSpec select_activation(const ActivationConfig& config, const Target& target) {
  return {.unit = row_unit(target),
          .dtype = config.dtype,
          .dtype_out = config.dtype_out,
          .kind = config.kind,
          .hidden = config.hidden};
}

}  // namespace weft
