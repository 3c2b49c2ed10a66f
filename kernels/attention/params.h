// SPDX-License-Identifier: Apache-2.0
// AttentionParams: everything a kernel receives at launch, in one plain struct. Filled by
// src/ops/attention/run.cc, read by every backend. Strides count elements.
#pragma once

#include "kernels/core/work.h"

namespace weft {

struct AttentionParams {
  // Tensors.
  const void* q;  // [nnz_qo, num_qo_heads, head_dim_qk]
  const void* k;  // paged [num_pages, token, head, dim] or ragged [token, head, dim], any strides
  const void* v;
  void* o;     // [nnz_qo, num_qo_heads, head_dim_vo]
  float* lse;  // [nnz_qo, num_qo_heads] or null
  int64_t q_stride_token, q_stride_head;
  int64_t k_stride_page, k_stride_token, k_stride_head;
  int64_t v_stride_page, v_stride_token, v_stride_head;
  int64_t o_stride_token, o_stride_head;
  int64_t lse_stride_token, lse_stride_head;

  // The batch.
  BatchLengths lengths;
  const int32_t* kv_indices;  // page ids; null when ragged

  // Values of the call.
  float sm_scale;         // multiplies q.k
  float logits_soft_cap;  // 0 = off
  float k_scale, v_scale;
  int32_t window_left;         // -1 = off
  const float* k_scales;       // [num_kv_heads] or null
  const float* v_scales;       // [num_kv_heads] or null
  const float* sink;           // [num_qo_heads] or null
  const float* alibi_slopes;   // [num_qo_heads] or null
  const uint8_t* custom_mask;  // bits, or null
  const int32_t* mask_indptr;  // [batch_size + 1] byte offsets, or null
  float lse_scale;             // multiplies a natural-log lse: 1, or log2(e)

  // The plan.
  const int32_t* work_indptr;  // [num_groups + 1]
  const WorkItem* items;
  const MergeItem* merges;
  int32_t* merge_arrivals;  // [num_merges, head_lanes], zero before and after a run
  float* partial_o;         // [head_lanes, partial_rows, head_dim_vo], unnormalised
  float* partial_m;         // [head_lanes, partial_rows]: row max of base-2 logits
  float* partial_d;         // [head_lanes, partial_rows]: denominator relative to m
  int32_t partial_rows;     // capacity of one lane
};

}  // namespace weft
