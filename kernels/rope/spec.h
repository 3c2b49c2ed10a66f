// SPDX-License-Identifier: Apache-2.0
// RopeSpec: everything about a rope kernel that is fixed before it runs. Made by select from a
// config and a target; names the code that runs.
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/core/unit.h"
#include "kernels/core/variant.h"
#include "kernels/tile/head_rows.h"

namespace weft {

struct RopeSpec {
  RowUnit unit = RowUnit::cpu_scalar;
  DType dtype = DType::bf16;
  int32_t num_qo_heads = 0;
  int32_t num_kv_heads = 0;
  int32_t head_dim = 0;
  Rope rope;  // dim filled in

  bool operator==(const RopeSpec&) const = default;
};

/// The kernel on a GPU, a warp a token. Heads, frequencies and where positions come from are
/// run-time values; the rest is what loops unroll over.
struct RopeWarpSpec {
  DType dtype = DType::bf16;
  int32_t head_dim = 0;
  int32_t rotated_dim = 0;
  RopeMode mode = RopeMode::neox;
  int32_t vec = 1;  // elements of an access: kernels/tile/head_rows.cuh
  int32_t unroll = 1;
  int32_t num_threads = 128;
  int32_t ctas_per_sm = 6;  // bounds registers

  bool operator==(const RopeWarpSpec&) const = default;

  WEFT_HD constexpr HeadRowSpec rows() const {
    return {dtype, dtype, head_dim, rotated_dim, mode, vec, unroll};
  }
};

}  // namespace weft
