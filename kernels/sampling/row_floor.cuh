// SPDX-License-Identifier: Apache-2.0
// The largest value of a row, and a key that its k largest values reach, found from the largest
// values of groups of threads: what lies below it needs no second look. Used by sampling and topk.
#pragma once

#include "kernels/sampling/row_search.cuh"

namespace weft {

// Threads whose largest value counts as one when a floor is looked for.
inline constexpr int32_t kGroup = 8;

struct Top {
  uint32_t key;    // of the row's largest value; ~0 when some value is NaN
  uint32_t floor;  // a key that at least top_k values reach
};

/// A key that `share` threads of each warp reach, by the largest value of each; 0 where a warp has
/// fewer. For a k beyond what groups can tell. Meets the CTA once; right in the first thread.
template <int num_warps>
__device__ __forceinline__ uint32_t floor_of_warps(uint32_t mine, int32_t share, uint32_t place) {
  constexpr uint32_t kLane = 31;
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const uint32_t own = (mine & ~kLane) | lane;
  int32_t rank = 0;
#pragma unroll 4
  for (int i = 1; i < 32; ++i) rank += __shfl_xor_sync(~0u, own, i) > own;
  if (lane == 0) store_shared(place + 4 * warp, int32_t{0});
  __syncwarp();
  if (rank == share - 1) store_shared(place + 4 * warp, static_cast<int32_t>(own & ~kLane));
  __syncthreads();
  uint32_t least = ~0u;
  for (uint32_t w = 0; threadIdx.x == 0 && w < num_warps; ++w) {
    least = min_of(least, static_cast<uint32_t>(load_shared_i32(place + 4 * w)));
  }
  return least;
}

/// The row's largest value, and from the largest values of groups of threads a key that k values
/// reach: k groups of one CTA reach it, or a share of k in each CTA. tokens() is k, and is asked
/// behind a barrier.
template <RowSlices slices, bool linear, class Values, class Tokens>
__device__ __forceinline__ Top find_top_of(RowSearch<slices, linear, Values>& row, uint32_t mine,
                                           Tokens&& tokens) {
  constexpr int kCtas = slices.cluster, kGroups = slices.num_threads / kGroup;
  // The last bits of a key give way to its group's number: no two are equal, and a floor is lower
  // by 63 keys at most.
  constexpr uint32_t kNumber = 63;
  static_assert(kGroups <= kNumber + 1 && kGroups % kGroup == 0);
  const uint32_t groups = row.smem + RowSearch<slices, linear, Values>::kSmem.totals;
  const uint32_t words = row.smem + RowSearch<slices, linear, Values>::kSmem.words;
  const uint32_t of_thread = mine;
#pragma unroll
  for (int i = 1; i < kGroup; i *= 2) mine = max_of(mine, __shfl_xor_sync(~0u, mine, i));
  const uint32_t group = threadIdx.x / kGroup, part = threadIdx.x % kGroup;
  if (part == 0) store_shared(groups + 4 * group, static_cast<int32_t>(mine));
  if (threadIdx.x < 2) store_shared(words + 4 * threadIdx.x, int32_t{0});
  __syncthreads();
  // Each of a group's threads compares with its part of the others.
  const uint32_t own = (mine & ~kNumber) | group;
  uint32_t most = 0;
  int32_t rank = 0;
#pragma unroll
  for (uint32_t j = 0; j < kGroups; j += kGroup) {
    const auto key = static_cast<uint32_t>(load_shared_i32(groups + 4 * (j + part)));
    rank += ((key & ~kNumber) | (j + part)) > own;
    most = max_of(most, key);
  }
#pragma unroll
  for (int i = 1; i < kGroup; i *= 2) {
    rank += __shfl_xor_sync(~0u, rank, i);
    most = max_of(most, __shfl_xor_sync(~0u, most, i));
  }
  const int32_t k = tokens();
  if (part == 0 && k <= kMostFloorTokens) {
    if (rank == k - 1) store_shared(words, static_cast<int32_t>(own & ~kNumber));
    if (rank == ceil_div(k, kCtas) - 1) {
      store_shared(words + 4, static_cast<int32_t>(own & ~kNumber));
    }
  }
  if constexpr (ceil_div(kMostFloorTokens, kCtas) > kGroups) {
    if (k <= kMostFloorTokens && ceil_div(k, kCtas) > kGroups) {
      constexpr int kWarps = slices.num_warps();
      const uint32_t floor =
          floor_of_warps<kWarps>(of_thread, ceil_div(k, kCtas * kWarps), groups + 4 * kGroups);
      if (threadIdx.x == 0) {
        store_shared(words + (kCtas == 1 ? 0 : 4), static_cast<int32_t>(floor));
      }
    }
  }
  __syncthreads();
  const auto word = [&](uint32_t at) {
    return uint64_t{static_cast<uint32_t>(load_shared_i32(words + at))};
  };
  Top top{most, static_cast<uint32_t>(word(0))};
  if constexpr (kCtas > 1) {
    const uint64_t keys[2] = {pair_of(most, static_cast<uint32_t>(word(0))), word(4)};
    uint64_t ends = 0, of_all = ~uint64_t{0};
    row.team.exchange(keys, [&](int, const Mail& read) {
      ends = MostEach()(ends, read(0));
      of_all = min_of(of_all, read(1));
    });
    top = {static_cast<uint32_t>(ends >> 32),
           max_of(static_cast<uint32_t>(ends), static_cast<uint32_t>(of_all))};
  }
  return top;
}

template <RowSlices slices, bool linear, class Values>
__device__ __forceinline__ Top find_top(RowSearch<slices, linear, Values>& row, uint32_t mine,
                                        int32_t k) {
  return find_top_of(row, mine, [&] { return k; });
}

}  // namespace weft
