// SPDX-License-Identifier: Apache-2.0
// MmaWalk: the way of a CTA through its work: items, heads of an item, states of a head. A segment
// is one state: one head, one range of keys. The ring walks ahead of the arithmetic, so a CTA has
// two of these. Knows lengths, never tensors.
#pragma once

#include "kernels/attention/mma_params.h"
#include "kernels/attention/mma_spec.h"

namespace weft {

template <AttentionMmaSpec spec>
struct MmaWalk {
  int32_t next_item, end_item;
  // The item.
  WorkItem item;
  int32_t qo_len, kv_len;
  int32_t first_token;  // of the request, in q and o
  int32_t first_page;   // ragged: first token of the request, in k and v
  int32_t visible;      // first key that any row of the tile sees
  int32_t head;         // of the lane
  // States of the head: split `first_split` + i, or one.
  int32_t state, num_states, first_split;
  // The segment: keys [key, key_end), none when key >= key_end.
  int32_t key, key_end;

  __device__ __forceinline__ void begin(const AttentionParams& p, int32_t group) {
    next_item = p.work_indptr[group];
    end_item = p.work_indptr[group + 1];
    head = item.head_end = 0;
    state = num_states = 0;
    key = key_end = 0;
  }

  /// Moves to the next segment. False after the last.
  __device__ __forceinline__ bool next_segment(const AttentionMmaParams& p) {
    if (spec.fixed_splits && ++state < num_states) {
      set_keys(p);
      return true;
    }
    if (++head >= item.head_end) {
      if (next_item >= end_item) return false;
      load_item(p, next_item++);
    }
    state = 0;
    set_keys(p);
    return true;
  }

  __device__ __forceinline__ int32_t ahead() const { return kv_len - qo_len; }
  __device__ __forceinline__ bool whole() const { return item.merge < 0; }
  __device__ __forceinline__ bool last_state() const { return state + 1 >= num_states; }
  __device__ __forceinline__ int32_t rows(const AttentionMmaParams& p) const {
    return min_of(spec.qo_tile, qo_len * p.group.divisor - item.row_begin);
  }
  __device__ __forceinline__ int32_t kv_head(const AttentionMmaParams& p, int32_t lane) const {
    return lane * p.heads_per_lane + head;
  }

 private:
  __device__ __forceinline__ void load_item(const AttentionMmaParams& p, int32_t index) {
    const int4* words = reinterpret_cast<const int4*>(p.args.items + index);
    const int4 a = words[0], b = words[1];
    item = WorkItem{a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w};
    const BatchLengths& lengths = p.args.lengths;
    const int32_t r = item.request;
    first_token = lengths.qo_indptr[r];
    first_page = lengths.kv_indptr[r];
    qo_len = lengths.qo_len(r);
    kv_len = lengths.kv_len(r);
    const int32_t token = p.group.quotient(item.row_begin);
    visible = window_begin(token, qo_len, kv_len, p.args.window_left);
    head = item.head_begin;
    num_states = 1;
    first_split = 0;
    if (spec.fixed_splits) {
      // num_states of kernels/core/work.h, which counts from the planner's window.
      const int32_t hint = window_begin(token, qo_len, kv_len, p.window_hint);
      first_split = p.split.quotient(max_of(item.kv_begin, hint));
      const int32_t end = p.split.quotient(item.kv_end + p.split.divisor - 1);
      num_states = max_of(1, end - first_split);
    }
  }

  __device__ __forceinline__ void set_keys(const AttentionMmaParams& p) {
    key = item.kv_begin;
    key_end = item.kv_end;
    if (spec.fixed_splits) {
      if (state > 0) key = (first_split + state) * p.split.divisor;
      if (!last_state()) key_end = (first_split + state + 1) * p.split.divisor;
    }
    key = max_of(key, visible) / 16 * 16;
  }
};

}  // namespace weft
