// SPDX-License-Identifier: Apache-2.0
// HeadRowSpec: how the heads of a token are dealt to the lanes of a warp. Known to the kernels
// (kernels/tile/head_rows.cuh) and to the host that sizes their grids.
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/core/variant.h"

namespace weft {

/// REQUIRES: `vec` is a power of two that divides rotated_dim / 2 and head_dim - rotated_dim.
struct HeadRowSpec {
  DType in = DType::bf16;
  DType out = DType::bf16;
  int32_t head_dim = 0;
  int32_t rotated_dim = 0;  // leading elements that rotate
  RopeMode mode = RopeMode::none;
  int32_t vec = 1;     // elements of an access
  int32_t unroll = 1;  // heads a lane has in flight

  WEFT_HD constexpr int32_t half() const { return rotated_dim / 2; }
  WEFT_HD constexpr int32_t rotated_units() const { return half() / vec; }
  WEFT_HD constexpr int32_t rest_units() const {
    return ceil_div<int32_t>(head_dim - rotated_dim, 2 * vec);
  }
  WEFT_HD constexpr int32_t units() const { return rotated_units() + rest_units(); }
  WEFT_HD constexpr int32_t lanes() const { return min_of<int32_t>(units(), 32); }
  WEFT_HD constexpr int32_t heads_at_once() const { return 32 / lanes(); }
  /// A long head takes several passes over its units.
  WEFT_HD constexpr int32_t passes() const { return ceil_div<int32_t>(units(), 32); }
  /// Most pairs of a pass, and the bytes that hand their angles around in one warp.
  WEFT_HD constexpr int32_t pass_pairs() const {
    return min_of<int32_t>(rotated_units(), 32) * vec;
  }
  WEFT_HD constexpr int32_t angle_bytes() const { return round_up<int32_t>(8 * pass_pairs(), 16); }
  /// Pairs of one element each lie next to each other.
  WEFT_HD constexpr bool single_pairs() const { return mode == RopeMode::interleaved && vec == 1; }
};

}  // namespace weft
