// SPDX-License-Identifier: Apache-2.0
// RowSlices: how a long row is dealt to the CTAs of a cluster, each of which keeps its slice in
// shared memory as f32. Portable, because the host sizes launches with it.
#pragma once

#include "kernels/core/base.h"

namespace weft {

struct RowSlices {
  int32_t cluster = 1;  // CTAs a row: 1, 2, 4 or 8
  int32_t num_threads = 512;
  int32_t ctas_per_sm = 2;  // bounds registers
  int32_t slice = 0;        // values of a CTA, a multiple of its warps' groups of 128
  bool kept = true;         // in shared memory; else read anew from where they came

  bool operator==(const RowSlices&) const = default;

  WEFT_HD constexpr int32_t num_warps() const { return num_threads / 32; }
  /// Values of a warp's stretch, which are neighbours in the row.
  WEFT_HD constexpr int32_t stretch() const { return slice / num_warps(); }

  /// As many CTAs as leave each at most `most` values, 8 where that is not enough.
  WEFT_HD static constexpr RowSlices of(int32_t length, int32_t most, int32_t num_threads) {
    RowSlices s;
    s.num_threads = num_threads;
    while (s.cluster < 8 && ceil_div(length, s.cluster) > most) s.cluster *= 2;
    s.slice = round_up(ceil_div(length, s.cluster), num_threads * 4);
    return s;
  }
};

/// Shared memory of a team, behind what its kernel keeps: two turns of a word from each warp and of
/// kMailWords from each CTA. A turn may be written again once everyone has met for the other one.
struct TeamSmem {
  static constexpr int32_t kMailWords = 3;

  WEFT_HD static constexpr int32_t bytes(const RowSlices& s) {
    return 2 * 8 * (s.num_warps() + kMailWords * s.cluster);
  }
};

}  // namespace weft
