// SPDX-License-Identifier: Apache-2.0
// kernels/ptx/compare.cuh on the host.
#pragma once

#include "kernels/core/base.h"
#include "tests/simt/simt.h"

namespace weft {

inline float max_or_nan(float a, float b) {
  if (a != a) return a;
  return b != b || b > a ? b : a;
}

}  // namespace weft
