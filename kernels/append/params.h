// SPDX-License-Identifier: Apache-2.0
// AppendParams: everything an append kernel receives at launch, in one plain struct. Filled by
// src/ops/append/run.cc, read by every backend. Strides count elements; they carry the layout.
#pragma once

#include "kernels/core/base.h"

namespace weft {

struct AppendParams {
  const void* k;  // [nnz, num_kv_heads, head_dim_qk]
  const void* v;  // [nnz, num_kv_heads, head_dim_vo]
  const void* q;  // [nnz, num_qo_heads, head_dim_qk] or null
  void* k_cache;  // [num_pages, token, head, dim], any strides
  void* v_cache;
  void* q_out;  // may be q
  int64_t k_stride_token, k_stride_head;
  int64_t v_stride_token, v_stride_head;
  int64_t q_stride_token, q_stride_head;
  int64_t q_out_stride_token, q_out_stride_head;
  int64_t k_cache_stride_page, k_cache_stride_token, k_cache_stride_head;
  int64_t v_cache_stride_page, v_cache_stride_token, v_cache_stride_head;
  int64_t nnz;

  // Where each token goes.
  const int32_t* batch_indices;  // [nnz]
  const int32_t* positions;      // [nnz]
  const int32_t* kv_indptr;      // [batch_size + 1], in pages
  const int32_t* kv_indices;     // page ids

  float k_scale, v_scale;  // what multiplies: 1 / the caller's
  const float* k_scales;   // [num_kv_heads], divides, or null
  const float* v_scales;
  float q_scale;  // what multiplies: 1 / the caller's

  // Normalisation of heads, with qk_norm.
  const void* k_weight;  // [head_dim_qk] or null
  const void* q_weight;  // [head_dim_qk] or null
  float norm_eps, norm_weight_offset;

  // Angles: of rope_positions when one of the two is not null, else of positions; from a cache, or
  // else from frequencies.
  const int32_t* rope_positions_i32;  // [nnz] or null
  const int64_t* rope_positions_i64;  // [nnz] or null
  const float* cos_sin_cache;         // [max_position, dim] or null
  int64_t cache_stride;
  const uint64_t* turns;  // [dim / 2], kernels/core/rope.h

  // What a kernel on a GPU takes besides. 2^share_shift warps share the heads of a token.
  int32_t num_kv_heads, num_qo_heads;
  int32_t share_shift;
  int32_t page_size;
  int32_t batch_size;
  int64_t num_indices;   // of kv_indices
  int64_t num_pages;     // of the caches
  int64_t max_position;  // those with an angle lie below
  uint64_t* fault;       // [1], kernels/core/fault.h; null: indices are trusted
  bool copies_rest;      // q_out is not q: what does not rotate is copied
};

/// Page and row of a token.
struct AppendSlot {
  int64_t page;
  int32_t row;
};

WEFT_HD AppendSlot append_slot(const AppendParams& p, int32_t page_size, int64_t token) {
  const int32_t position = p.positions[token];
  const int64_t page = int64_t{p.kv_indptr[p.batch_indices[token]]} + position / page_size;
  return {p.kv_indices[page], position % page_size};
}

WEFT_HD int64_t append_rope_position(const AppendParams& p, int64_t token) {
  if (p.rope_positions_i32 != nullptr) return p.rope_positions_i32[token];
  if (p.rope_positions_i64 != nullptr) return p.rope_positions_i64[token];
  return p.positions[token];
}

}  // namespace weft
