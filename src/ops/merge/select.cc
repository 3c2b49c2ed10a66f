// SPDX-License-Identifier: Apache-2.0
// Config + Target -> MergeSpec: what is supported, and by which unit.
#include "src/base/check.h"
#include "src/cpu/rows.h"
#include "src/ops/merge/rooms.h"

namespace weft {
namespace {

constexpr int kMaxHeads = 1 << 16;

}  // namespace

std::string to_string(const MergeConfig& c) {
  const DType dtype_o = c.dtype_o == DType::none ? c.dtype : c.dtype_o;
  return std::string("merge ") + name_of(c.dtype) + " into " + name_of(dtype_o) + ", heads " +
         std::to_string(c.num_heads) + ", head_dim " + std::to_string(c.head_dim) + ", lse " +
         (c.lse_base2 ? "base 2" : "natural");
}

MergeConfig checked_config(MergeConfig config) {
  check_dtype("dtype", config.dtype, kRowInputs);
  if (config.dtype_o == DType::none) config.dtype_o = config.dtype;
  check_dtype("dtype_o", config.dtype_o, kRowInputs);
  check_range("num_heads", config.num_heads, 1, kMaxHeads);
  check_range("head_dim", config.head_dim, 1, kMaxMergeHeadDim);
  return config;
}

MergeSpec select_merge(const MergeConfig& config, const Target& target) {
  return {.unit = row_unit(target),
          .dtype = config.dtype,
          .dtype_o = config.dtype_o,
          .num_heads = config.num_heads,
          .head_dim = config.head_dim,
          .lse_base2 = config.lse_base2};
}

}  // namespace weft
