// SPDX-License-Identifier: Apache-2.0
// RopeParams: everything a rope kernel receives at launch, in one plain struct. Filled by
// src/ops/rope/run.cc, read by every backend. Strides count elements.
#pragma once

#include "kernels/core/base.h"

namespace weft {

struct RopeParams {
  const void* q;  // [nnz, num_qo_heads, head_dim]
  const void* k;  // [nnz, num_kv_heads, head_dim] or null
  void* q_out;    // may be q
  void* k_out;    // may be k
  int64_t q_stride_token, q_stride_head;
  int64_t k_stride_token, k_stride_head;
  int64_t q_out_stride_token, q_out_stride_head;
  int64_t k_out_stride_token, k_out_stride_head;
  int64_t nnz;

  // Positions: exactly one of the three is not null.
  const int32_t* positions_i32;  // [nnz]
  const int64_t* positions_i64;  // [nnz]
  const int32_t* indptr;         // [batch_size + 1], with offsets
  const int32_t* offsets;        // [batch_size]
  int32_t batch_size;

  // Angles: a cache, or else frequencies.
  const float* cos_sin_cache;  // [max_position, dim] or null
  int64_t cache_stride;
  const uint64_t* turns;  // [dim / 2], kernels/core/rope.h

  // What a kernel on a GPU takes besides. 2^share_shift warps share the heads of a token, those of
  // q and behind them those of k.
  int32_t num_qo_heads, num_kv_heads;
  int32_t share_shift;
  int64_t max_position;  // positions lie below
  uint64_t* fault;       // [1], kernels/core/fault.h; null: positions are trusted
  bool copies_rest;      // some output is not its input: what does not rotate is copied
};

/// The request that owns `token`: the last one that begins at or before it and is not empty.
/// REQUIRES: 0 <= token < indptr[batch_size], indptr[0] = 0, indptr not decreasing.
WEFT_HD int32_t request_of(const int32_t* indptr, int32_t batch_size, int64_t token) {
  int32_t low = 0, high = batch_size;  // indptr[low] <= token < indptr[high]
  while (high - low > 1) {
    const int32_t middle = low + (high - low) / 2;
    if (indptr[middle] <= token) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

/// Position of `token`, which belongs to `request` when indptr is given.
WEFT_HD int64_t rope_position(const RopeParams& p, int64_t token, int32_t request) {
  if (p.positions_i32 != nullptr) return p.positions_i32[token];
  if (p.positions_i64 != nullptr) return p.positions_i64[token];
  return int64_t{p.offsets[request]} + token - p.indptr[request];
}

}  // namespace weft
