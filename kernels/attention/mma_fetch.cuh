// SPDX-License-Identifier: Apache-2.0
// MmaFetch: an item and the lengths of its request, which a warp fetches in two steps that wait for
// each other, a word a lane. A ring makes them a stage apart, ahead of the item's turn, so that an
// item that follows another costs no wait: two loads take 2.5 us of a busy GPU.
#pragma once

#include "kernels/attention/mma_params.h"

namespace weft {

class MmaFetch {
 public:
  /// The next step for item `index`; nothing is left to do after two.
  __device__ __forceinline__ void step(const AttentionParams& p, int32_t index) {
    const int32_t lane = static_cast<int32_t>(threadIdx.x % 32);
    if (steps_ == 0) {
      static_assert(sizeof(WorkItem) == 32, "a word for each of eight lanes");
      word_ = reinterpret_cast<const int32_t*>(p.items + index)[lane % 8];
      steps_ = 1;
    } else if (steps_ == 1) {
      const int32_t request = item_word(0);
      const BatchLengths& b = p.lengths;
      // Lanes 0 and 1: qo_indptr; 2 and 3: kv_indptr; 4: last_page_len.
      const int32_t* from = lane < 2 ? b.qo_indptr : b.kv_indptr;
      if (lane == 4) from = b.last_page_len;
      length_ = 0;
      if (lane < 4 || (lane == 4 && b.page_size > 0)) length_ = from[request + lane % 2];
      steps_ = 2;
    }
  }
  __device__ __forceinline__ bool is_begun() const { return steps_ > 0; }

  /// Makes the steps that are left, and forgets the item.
  template <class Walk>
  __device__ __forceinline__ void take(const AttentionParams& p, int32_t index, Walk& walk) {
    while (steps_ < 2) step(p, index);
    steps_ = 0;
    walk.item = WorkItem{item_word(0), item_word(1), item_word(2), item_word(3),
                         item_word(4), item_word(5), item_word(6), item_word(7)};
    const auto length = [&](int32_t lane) { return __shfl_sync(~0u, length_, lane); };
    walk.first_token = length(0);
    walk.qo_len = length(1) - walk.first_token;
    walk.first_page = length(2);
    walk.kv_len = length(3) - walk.first_page;
    if (p.lengths.page_size > 0 && walk.kv_len > 0) {
      walk.kv_len = (walk.kv_len - 1) * p.lengths.page_size + length(4);
    }
  }

 private:
  __device__ __forceinline__ int32_t item_word(int32_t i) const {
    return __shfl_sync(~0u, word_, i);
  }

  int32_t word_ = 0;
  int32_t length_ = 0;
  int32_t steps_ = 0;
};

}  // namespace weft
