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

  /// Takes range `index` unless it is taken: the next that is not empty. By one thread. Two loads
  /// that wait for each other, 2.5 us of a busy GPU: less than the ring holds.
  __device__ static __forceinline__ void take(const AttentionMmaParams& p, uint32_t smem,
                                              int32_t head_lane, int32_t index) {
    if (load_shared_i32(smem + kCount) > index) return;
    int32_t* taken = p.args.merge_arrivals + p.num_groups * p.lanes.divisor + head_lane;
    MmaRange range;
    do {
      // Every CTA of a lane draws until it gets one too many; the last of these makes it zero.
      const int32_t group = p.tail_begin + increment_below(taken, p.num_groups - 1);
      range = {-1, 0};
      if (group >= p.num_groups) break;
      range = {p.args.work_indptr[group], p.args.work_indptr[group + 1]};
    } while (range.begin == range.end);
    store_shared(smem + kRanges + index * 8, static_cast<uint64_t>(static_cast<uint32_t>(range.end))
                                                     << 32 |
                                                 static_cast<uint32_t>(range.begin));
    store_shared_release(smem + kCount, index + 1);
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
};

}  // namespace weft
