// SPDX-License-Identifier: Apache-2.0
// NormParams: everything a norm kernel receives at launch, in one plain struct. Filled by
// src/ops/norm/run.cc, read by every backend. Strides count elements; a row is a head of a token.
#pragma once

#include "kernels/core/base.h"
#include "kernels/core/fast_divide.h"

namespace weft {

struct NormParams {
  const void* x;       // [n, num_heads, hidden]
  void* residual;      // [n, num_heads, hidden] or null: x is added to it
  void* out;           // [n, num_heads, hidden]; may be x
  const void* weight;  // [num_heads, hidden] or null: ones
  const void* bias;    // [num_heads, hidden] or null
  int64_t x_stride_token, x_stride_head;
  int64_t residual_stride_token, residual_stride_head;
  int64_t out_stride_token, out_stride_head;
  int64_t weight_stride_head, bias_stride_head;  // 0: one for all heads
  int64_t n;
  int32_t num_heads;
  float eps;
  float weight_offset;  // is added to weight
  float scale;          // multiplies: 1 / the caller's
  const float* scales;  // [num_heads], divides, or null

  // What a kernel on a GPU takes besides.
  int32_t num_rows;
  FastDivisor heads;  // of num_heads
};

}  // namespace weft
