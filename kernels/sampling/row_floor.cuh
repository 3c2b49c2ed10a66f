// SPDX-License-Identifier: Apache-2.0
// The largest value of a row, and a key that its k largest values reach, found from the largest
// values of groups of threads: what lies below it needs no second look. Used by sampling and topk.
#pragma once

#include "kernels/sampling/row_search.cuh"

namespace weft {

// Threads whose largest value counts as one when a floor is looked for.
inline constexpr int32_t kGroup = 8;
// Largest k that a floor is looked for: few enough that the list it leaves is short.
inline constexpr int32_t kMostFloorTokens = 256;

struct Top {
  uint32_t key;    // of the row's largest value; ~0 when some value is NaN
  uint32_t floor;  // a key that at least top_k values reach
};

/// The row's largest value, and from the largest values of groups of threads a key that `k` values
/// reach: `k` groups of one CTA reach it, or a share of k in each CTA.
template <RowSlices slices, bool linear, class Values>
__device__ __forceinline__ Top find_top(RowSearch<slices, linear, Values>& row, uint32_t mine,
                                        int32_t k) {
  constexpr int kCtas = slices.cluster, kGroups = slices.num_threads / kGroup;
  const uint32_t groups = row.smem + RowSearch<slices, linear, Values>::kSmem.totals;
  const uint32_t words = row.smem + RowSearch<slices, linear, Values>::kSmem.words;
#pragma unroll
  for (int i = 1; i < kGroup; i *= 2) mine = max_of(mine, __shfl_xor_sync(~0u, mine, i));
  if (threadIdx.x % kGroup == 0) {
    store_shared(groups + 4 * (threadIdx.x / kGroup), static_cast<int32_t>(mine));
  }
  if (threadIdx.x < 2) store_shared(words + 4 * threadIdx.x, int32_t{0});
  __syncthreads();
  if (threadIdx.x < kGroups) {
    const uint32_t own = static_cast<uint32_t>(load_shared_i32(groups + 4 * threadIdx.x));
    int32_t rank = 0;
#pragma unroll 4
    for (uint32_t j = 0; j < kGroups; j += 4) {
      const float4 four = load_shared_f32x4(groups + 4 * j);
      const uint32_t key[4] = {bits_of(four.x), bits_of(four.y), bits_of(four.z), bits_of(four.w)};
#pragma unroll
      for (uint32_t e = 0; e < 4; ++e) {
        rank += key[e] > own || (key[e] == own && j + e < threadIdx.x);
      }
    }
    if (rank == 0) store_shared(words + 8, static_cast<int32_t>(own));
    if (k <= kMostFloorTokens && rank == k - 1) store_shared(words, static_cast<int32_t>(own));
    if (k <= kMostFloorTokens && rank == ceil_div(k, kCtas) - 1) {
      store_shared(words + 4, static_cast<int32_t>(own));
    }
  }
  __syncthreads();
  const auto word = [&](uint32_t at) {
    return uint64_t{static_cast<uint32_t>(load_shared_i32(words + at))};
  };
  const uint64_t keys[3] = {word(8), word(0), word(4)};
  Top top{0, 0};
  uint32_t of_all = ~0u;
  row.team.exchange(keys, [&](int, const Mail& read) {
    top.key = max_of(top.key, static_cast<uint32_t>(read(0)));
    top.floor = max_of(top.floor, static_cast<uint32_t>(read(1)));
    of_all = min_of(of_all, static_cast<uint32_t>(read(2)));
  });
  top.floor = max_of(top.floor, of_all);
  return top;
}

}  // namespace weft
