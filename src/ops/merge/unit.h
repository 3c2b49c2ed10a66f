// SPDX-License-Identifier: Apache-2.0
// The seam between merge and its CPU code: one table of functions per RowUnit, compiled with that
// unit's flags by cpu_<isa>.cc. Called by cpu.cc; knows one row, never tensors.
#pragma once

#include <cstdint>

#include "kernels/core/dtype.h"
#include "kernels/core/unit.h"

namespace weft {

/// Heads of one row in all their states. Strides of o are in bytes, of lse in elements.
struct MergeRow {
  const char* o_first;
  const char* o_rest;  // state s >= 1 at (s - 1) * o_rest_stride_state
  int64_t o_first_stride_head, o_rest_stride_head, o_rest_stride_state;
  const float* lse_first;  // [num_heads]
  const float* lse_rest;
  int64_t lse_rest_stride_state;
  char* o;  // may be a state's own memory
  int64_t o_stride_head;
  float* lse;  // [num_heads] or null; may be a state's own memory
  int num_states;
  int num_heads;
  int head_dim;
  float to_base2;  // multiplies an lse to make it base 2: 1, or log2(e)
};

using MergeKernel = void (*)(const MergeRow& row);

struct MergeTable {
  MergeKernel kernels[3][3];  // [f32, f16, bf16] in, out

  MergeKernel kernel(DType in, DType out) const {
    return kernels[static_cast<int>(in) - 1][static_cast<int>(out) - 1];
  }
};

}  // namespace weft
