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
  // Written out it is no faster, and a kernel that runs once is as fast as its code is short.
#pragma unroll 1
  for (int step = 1; step < 32; step *= 2) {
#pragma unroll
    for (int i = 0; i < n; ++i) {
      const T other = __shfl_up_sync(0xffffffffu, sums.of[i], step);
      if (lane >= step) sums.of[i] += other;
    }
  }
  return sums;
}

/// A barrier, or one that also says whether `flag` was true in any thread.
struct PlainBarrier {
  __device__ __forceinline__ void operator()() { __syncthreads(); }
};
struct VotingBarrier {
  bool flag;
  __device__ __forceinline__ void operator()() { flag = __syncthreads_or(flag) != 0; }
};

/// Sums over the threads before this one, and `total` over all, among the first `num_warps` warps;
/// the others only take part in the barrier and get nothing of use. `scratch` holds one Sums a
/// warp and is not reused within the kernel.
template <int num_warps, class T, int n, class Barrier>
__device__ __forceinline__ Sums<T, n> block_exclusive(const Sums<T, n>& mine, Sums<T, n>* scratch,
                                                      Sums<T, n>& total, Barrier& barrier) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  Sums<T, n> sums = mine;
  if (warp < num_warps) {
    sums = warp_inclusive(mine, lane);
    if (lane == 31) scratch[warp] = sums;
  }
  barrier();
  if (warp >= num_warps) return sums;
    // Every thread sums the warps' totals for itself: loads that do not wait for each other take a
    // fifth of the time of five shuffles that do, and of a second barrier.
#pragma unroll
  for (int i = 0; i < n; ++i) {
    total.of[i] = 0;
    sums.of[i] -= mine.of[i];
  }
#pragma unroll 8
  for (int other = 0; other < num_warps; ++other) {
    const Sums<T, n> theirs = scratch[other];
#pragma unroll
    for (int i = 0; i < n; ++i) {
      total.of[i] += theirs.of[i];
      if (other < warp) sums.of[i] += theirs.of[i];
    }
  }
  return sums;
}

template <int num_warps, class T, int n>
__device__ __forceinline__ Sums<T, n> block_exclusive(const Sums<T, n>& mine, Sums<T, n>* scratch,
                                                      Sums<T, n>& total) {
  PlainBarrier barrier;
  return block_exclusive<num_warps>(mine, scratch, total, barrier);
}

}  // namespace weft::planner
