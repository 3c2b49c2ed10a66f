// SPDX-License-Identifier: Apache-2.0
// Prefix sums over the threads of a CTA: shuffles within warps, one barrier between them.
#pragma once

#include "kernels/core/base.h"

namespace weft::planner {

/// Several sums that share one barrier.
template <class T, int n>
struct Sums {
  T of[n];
};

template <class T, int n>
__device__ __forceinline__ Sums<T, n> warp_inclusive(Sums<T, n> sums, int lane) {
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
#pragma unroll
    for (int i = 0; i < n; ++i) {
      const T other = __shfl_up_sync(0xffffffffu, sums.of[i], step);
      if (lane >= step) sums.of[i] += other;
    }
  }
  return sums;
}

/// Sums over the threads before this one, and `total` over all, among the first `num_warps` warps;
/// the others only take part in the barrier and get nothing of use. `scratch` holds one Sums a
/// warp and is not reused within the kernel.
template <int num_warps, class T, int n>
__device__ __forceinline__ Sums<T, n> block_exclusive(const Sums<T, n>& mine, Sums<T, n>* scratch,
                                                      Sums<T, n>& total) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  Sums<T, n> sums = mine;
  if (warp < num_warps) {
    sums = warp_inclusive(mine, lane);
    if (lane == 31) scratch[warp] = sums;
  }
  __syncthreads();
  if (warp >= num_warps) return sums;
  // Every warp sums the warps' totals for itself: cheaper than a second barrier.
  Sums<T, n> warps{};
  if (lane < num_warps) warps = scratch[lane];
  warps = warp_inclusive(warps, lane);
#pragma unroll
  for (int i = 0; i < n; ++i) {
    total.of[i] = __shfl_sync(0xffffffffu, warps.of[i], num_warps - 1);
    const T before = __shfl_sync(0xffffffffu, warps.of[i], max_of(warp - 1, 0));
    sums.of[i] += (warp > 0 ? before : T{0}) - mine.of[i];
  }
  return sums;
}

}  // namespace weft::planner
