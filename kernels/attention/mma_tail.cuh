// SPDX-License-Identifier: Apache-2.0
// MmaTail: the groups of the plan's tail that a CTA takes once its own group is done: whoever is
// free takes the next, and what a piece computes does not depend on who that is. The ring of warp 0
// takes them a few stages ahead of their need; all walks of the CTA find them in shared memory, in
// the order in which they were taken.
#pragma once

#include "kernels/attention/mma_params.h"
#include "kernels/attention/mma_smem.h"
#include "kernels/ptx/atomic.cuh"
#include "kernels/ptx/shared.cuh"
#include "kernels/ptx/shared_flag.cuh"

namespace weft {

/// Items [begin, end); begin < 0: nothing is left.
struct MmaRange {
  int32_t begin, end;
};

template <AttentionMmaSpec spec>
struct MmaTail {
  /// By all threads of the CTA, before anybody asks for a range; then a barrier.
  __device__ static __forceinline__ void begin(uint32_t smem) {
    if (threadIdx.x == 0) store_shared(smem + kCount, 0);
  }

  __device__ static __forceinline__ bool any(const AttentionMmaParams& p) {
    return p.args.work_indptr[p.tail_begin] < p.args.work_indptr[p.num_groups];
  }

  /// The next step of warp 0 towards range `index`: draws a ticket, asks for its range, and makes
  /// it known unless it is empty. Each waits for what the one before asked for, so that steps a
  /// stage apart do not wait.
  __device__ __forceinline__ void step(const AttentionMmaParams& p, uint32_t smem,
                                       int32_t head_lane, int32_t index) {
    const int32_t lane = static_cast<int32_t>(threadIdx.x);
    if (steps_ == 1) {
      const int32_t group = p.tail_begin + __shfl_sync(~0u, word_, 0);
      word_ = lane == 0 ? -1 : 0;
      if (group < p.num_groups && lane < 2) word_ = p.args.work_indptr[group + lane];
      steps_ = 2;
      return;
    }
    if (steps_ == 2) {
      const MmaRange range = {__shfl_sync(~0u, word_, 0), __shfl_sync(~0u, word_, 1)};
      if (range.begin != range.end) {
        if (lane == 0) {
          store_shared(smem + kRanges + index * 8,
                       static_cast<uint64_t>(static_cast<uint32_t>(range.end)) << 32 |
                           static_cast<uint32_t>(range.begin));
          store_shared_release(smem + kCount, index + 1);
        }
        __syncwarp();
        steps_ = 0;
        return;
      }
    }
    // Every CTA of a lane draws until it gets one too many; the last of these makes it zero.
    int32_t* taken = p.args.merge_arrivals + p.num_groups * p.lanes.divisor + head_lane;
    if (lane == 0) word_ = increment_below(taken, p.num_groups - 1);
    steps_ = 1;
  }

  /// Whether range `index` can be awaited without waiting. By a warp, whose lanes get one answer.
  __device__ static __forceinline__ bool is_known(uint32_t smem, int32_t index) {
    return __shfl_sync(~0u, load_shared_acquire(smem + kCount), 0) > index;
  }

  /// The range that was taken after `index` others, once it is there.
  __device__ static __forceinline__ MmaRange await(uint32_t smem, int32_t index) {
    await_above(smem + kCount, index);
    const uint64_t range = load_shared_u64(smem + kRanges + index * 8);
    return {static_cast<int32_t>(range), static_cast<int32_t>(range >> 32)};
  }

 private:
  static constexpr int32_t kRanges = AttentionMmaSmem::of(spec).ranges;
  static constexpr int32_t kCount = AttentionMmaSmem::of(spec).flag + 4;

  int32_t word_ = 0;
  int32_t steps_ = 0;
};

}  // namespace weft
