// SPDX-License-Identifier: Apache-2.0
// Comparisons that C++ has no operator for (PTX ISA, max; sm_80 and later).
#pragma once

#include "kernels/core/base.h"

namespace weft {

/// The larger one; NaN when either is.
__device__ __forceinline__ float max_or_nan(float a, float b) {
  float most;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(most) : "f"(a), "f"(b));
  return most;
}

}  // namespace weft
