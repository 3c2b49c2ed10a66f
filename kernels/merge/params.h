// SPDX-License-Identifier: Apache-2.0
// MergeParams: everything a merge kernel receives at launch, in one plain struct. Filled by
// src/ops/merge/run.cc, read by every backend. Strides count elements.
//
// One form serves both calls: state 0 has a base of its own (o_a of a pair), states from 1 on are
// evenly spaced (o_b of a pair, the rest of o_in otherwise).
#pragma once

#include "kernels/core/base.h"

namespace weft {

struct MergeParams {
  const void* o_first;     // [n, num_heads, head_dim]
  const void* o_rest;      // [n, num_states - 1, num_heads, head_dim]
  const float* lse_first;  // [n, num_heads]
  const float* lse_rest;   // [n, num_states - 1, num_heads]
  void* o;                 // [n, num_heads, head_dim]
  float* lse;              // [n, num_heads] or null
  const uint8_t* mask;     // [n] or null: where 0, only state 0 counts
  int64_t o_first_stride_row, o_first_stride_head;
  int64_t o_rest_stride_row, o_rest_stride_state, o_rest_stride_head;
  int64_t lse_first_stride_row;
  int64_t lse_rest_stride_row, lse_rest_stride_state;
  int64_t o_stride_row, o_stride_head;
  int64_t lse_stride_row;
  int64_t n;
  int32_t num_states;

  // What a kernel on a GPU takes besides.
  int32_t num_heads;
  float to_base2;    // multiplies an lse to make it base 2: 1, or log2(e)
  float from_base2;  // 1 / to_base2
};

}  // namespace weft
