// SPDX-License-Identifier: Apache-2.0
// The seam between norm and its CPU code: one table of functions per RowUnit, compiled with that
// unit's flags by cpu_<isa>.cc. Called by cpu.cc; knows one row, never tensors.
#pragma once

#include <cstdint>

#include "kernels/core/dtype.h"
#include "kernels/core/unit.h"
#include "kernels/norm/spec.h"

namespace weft {

struct NormRow {
  const void* x;       // [hidden]
  void* residual;      // [hidden] or null
  const void* weight;  // [hidden] or null
  const void* bias;    // [hidden] or null
  void* out;           // [hidden]; may be x
  int hidden;
  NormKind kind;
  float eps;
  float weight_offset;
  float scale;  // multiplies
};

using NormKernel = void (*)(const NormRow& row);

struct NormTable {
  NormKernel kernels[3][2][5];  // [f32, f16, bf16][weight as in, f32][f32, f16, bf16, e4m3, e5m2]

  NormKernel kernel(DType in, DType weight, DType out) const {
    return kernels[static_cast<int>(in) - 1][weight == in ? 0 : 1][static_cast<int>(out) - 1];
  }
};

}  // namespace weft
