// SPDX-License-Identifier: Apache-2.0
// ActivationParams: everything an activation kernel receives at launch, in one plain struct. Filled
// by src/ops/activation/run.cc, read by every backend. Strides count elements.
#pragma once

#include "kernels/core/base.h"
#include "kernels/core/fast_divide.h"

namespace weft {

struct ActivationParams {
  const void* gate;  // [n, hidden], the left half of x
  const void* up;    // [n, hidden], the right half
  void* out;         // [n, hidden]; may be gate
  int64_t x_stride, out_stride;
  int64_t n;
  float scale;          // multiplies: 1 / the caller's
  const float* scales;  // [1], divides, or null

  // What a kernel on a GPU takes besides.
  int32_t num_vectors;  // of all rows
  FastDivisor vectors;  // of a row
};

}  // namespace weft
