// SPDX-License-Identifier: Apache-2.0
// The seam between activation and its CPU code: one table of functions per RowUnit, compiled with
// that unit's flags by cpu_<isa>.cc. Called by cpu.cc; knows a piece of one row, never tensors.
#pragma once

#include "kernels/activation/spec.h"
#include "kernels/core/dtype.h"
#include "kernels/core/unit.h"

namespace weft {

struct ActivationRow {
  const void* gate;  // [count]
  const void* up;    // [count]
  void* out;         // [count]; may be gate
  int count;
  float scale;  // multiplies
};

using ActivationKernel = void (*)(const ActivationRow& row);

struct ActivationTable {
  ActivationKernel kernels[3][3][5];  // [kind][f32, f16, bf16][f32, f16, bf16, e4m3, e5m2]

  ActivationKernel kernel(ActivationKind kind, DType in, DType out) const {
    return kernels[static_cast<int>(kind)][static_cast<int>(in) - 1][static_cast<int>(out) - 1];
  }
};

}  // namespace weft
