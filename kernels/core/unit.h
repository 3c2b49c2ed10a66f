// SPDX-License-Identifier: Apache-2.0
// RowUnit: the code that can execute a row-wise operator (append, merge, rope), where a row is the
// heads of one token. Named by specs, chosen by select.
#pragma once

#include "kernels/core/base.h"

namespace weft {

enum class RowUnit : uint8_t {
  cpu_scalar = 0,  // 4 lanes of whatever the baseline of the architecture has
  cpu_avx2,        // 8 lanes, FMA, F16C
  cpu_avx512,      // 16 lanes
};

inline constexpr int kNumRowUnits = 3;

WEFT_HD constexpr const char* name_of(RowUnit u) {
  switch (u) {
    case RowUnit::cpu_scalar:
      return "cpu_scalar";
    case RowUnit::cpu_avx2:
      return "cpu_avx2";
    case RowUnit::cpu_avx512:
      return "cpu_avx512";
  }
  return "invalid";
}

}  // namespace weft
