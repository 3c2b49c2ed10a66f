// SPDX-License-Identifier: Apache-2.0
// Config + Target -> RopeSpec: what is supported, and by which unit.
#include "src/base/check.h"
#include "src/base/check_rope.h"
#include "src/cpu/rows.h"
#include "src/ops/rope/rooms.h"

namespace weft {
namespace {

constexpr int kMaxHeads = 1 << 16;
constexpr int kMaxHeadDim = 1 << 16;

}  // namespace

std::string to_string(const RopeConfig& c) {
  std::string text = std::string("rotate ") + name_of(c.dtype) + ", heads " +
                     std::to_string(c.num_qo_heads) + "/" + std::to_string(c.num_kv_heads) +
                     ", head_dim " + std::to_string(c.head_dim) + ", " + describe(c.rope);
  return text + (c.checked ? ", checked" : "");
}

RopeConfig checked_config(RopeConfig config) {
  check_dtype("dtype", config.dtype, kRowInputs);
  check_range("num_qo_heads", config.num_qo_heads, 1, kMaxHeads);
  check_range("num_kv_heads", config.num_kv_heads, 0, kMaxHeads);
  check_range("head_dim", config.head_dim, 2, kMaxHeadDim);
  if (config.rope.mode == RopeMode::none) {
    fail(ErrorKind::invalid_argument, "rope.mode", "neox or interleaved", "none");
  }
  config.rope = checked_rope(config.rope, config.head_dim);
  return config;
}

RopeSpec select_rope(const RopeConfig& config, const Target& target) {
  return {.unit = row_unit(target),
          .dtype = config.dtype,
          .num_qo_heads = config.num_qo_heads,
          .num_kv_heads = config.num_kv_heads,
          .head_dim = config.head_dim,
          .rope = config.rope};
}

}  // namespace weft
