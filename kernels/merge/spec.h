// SPDX-License-Identifier: Apache-2.0
// MergeSpec: everything about a merge kernel that is fixed before it runs. Made by select from a
// config and a target; names the code that runs.
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/core/unit.h"

namespace weft {

struct MergeSpec {
  RowUnit unit = RowUnit::cpu_scalar;
  DType dtype = DType::bf16;
  DType dtype_o = DType::bf16;
  int32_t num_heads = 0;
  int32_t head_dim = 0;
  bool lse_base2 = false;

  bool operator==(const MergeSpec&) const = default;
};

/// The kernel on a GPU, some lanes of a warp a (row, head). Heads and states are run-time values.
struct MergeWarpSpec {
  DType dtype = DType::bf16;
  DType dtype_o = DType::bf16;
  int32_t head_dim = 0;
  int32_t vec = 1;     // elements of an access, a power of two that divides head_dim
  int32_t unroll = 2;  // states in flight
  int32_t num_threads = 128;
  int32_t ctas_per_sm = 8;  // bounds registers

  bool operator==(const MergeWarpSpec&) const = default;

  /// Lanes that share a head: a power of two, so that shuffles stay within them.
  WEFT_HD constexpr int32_t lanes() const {
    int32_t n = 1;
    while (n < 32 && n * vec < head_dim) n *= 2;
    return n;
  }
  /// Vectors of a head that one lane holds.
  WEFT_HD constexpr int32_t vectors() const { return ceil_div<int32_t>(head_dim, lanes() * vec); }
};

}  // namespace weft
