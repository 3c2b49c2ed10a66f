// SPDX-License-Identifier: Apache-2.0
// From a work item to what the two sides of a CTA must know of it: which rows, which keys, and
// which blocks of keys every row sees whole. Integers only.
#pragma once

#include "kernels/attention/wgmma_params.h"
#include "kernels/attention/wgmma_smem.h"

namespace weft {

/// False when a raw dot product needs more than a positive factor to become a logit: then the body
/// of a tile is empty and every block takes the masked loop, which maps logits as well.
__device__ __forceinline__ bool is_linear(const AttentionParams& p, const WgmmaTile& t) {
  return t.scale > 0.0f && p.logits_soft_cap == 0.0f && p.alibi_slopes == nullptr;
}

/// Keys [body_begin, body_end) that every row of the tile sees, in whole blocks.
template <AttentionWgmmaSpec spec>
__device__ __forceinline__ void find_body(const AttentionWgmmaParams& p, WgmmaTile& t) {
  const AttentionParams& args = p.args;
  const int32_t first = p.group.quotient(t.row_begin);
  const int32_t last = p.group.quotient(t.row_begin + t.rows - 1);
  int32_t end = t.key_end;
  if (spec.mask == MaskMode::causal) end = min_of(end, causal_end(first, t.qo_len, t.kv_len));
  if (spec.mask == MaskMode::tree) end = min_of(end, max_of(0, t.kv_len - t.qo_len));
  if (spec.mask == MaskMode::custom || !is_linear(args, t)) end = 0;
  const int32_t begin = window_begin(last, t.qo_len, t.kv_len, args.window_left);
  t.body_begin = (begin + spec.kv_tile - 1) / spec.kv_tile * spec.kv_tile;
  t.body_end = end / spec.kv_tile * spec.kv_tile;
}

/// REQUIRES: item.head_begin <= head < item.head_end.
template <AttentionWgmmaSpec spec>
__device__ __forceinline__ void make_tile(const AttentionWgmmaParams& p, const WorkItem& item,
                                          int32_t lane, int32_t head, WgmmaTile& t) {
  const BatchLengths& lengths = p.args.lengths;
  t.request = item.request;
  t.first_token = lengths.qo_indptr[item.request];
  t.qo_len = lengths.qo_len(item.request);
  t.kv_len = lengths.kv_len(item.request);
  t.first_kv = lengths.kv_indptr[item.request];
  t.row_begin = item.row_begin;
  t.rows = min_of(p.qo_tile, t.qo_len * p.group.divisor - t.row_begin);
  t.lane = lane;
  t.kv_head = lane * p.heads_per_lane + head;
  t.partial_row = item.partial_row;
  t.merge = item.merge;
  t.scale = p.args.sm_scale * p.args.k_scale;
  if (p.args.k_scales != nullptr) t.scale *= p.args.k_scales[t.kv_head];
  const int32_t visible =
      window_begin(p.group.quotient(t.row_begin), t.qo_len, t.kv_len, p.args.window_left);
  t.key_begin = max_of(item.kv_begin, visible) / spec.kv_tile * spec.kv_tile;
  t.key_end = item.kv_end;
  t.num_blocks = max_of(0, ceil_div(t.key_end - t.key_begin, spec.kv_tile));
  find_body<spec>(p, t);
}

}  // namespace weft
