// SPDX-License-Identifier: Apache-2.0
// NormSmem: the shared memory of the norm kernel: the sums of a row's warps, twice, so that one
// barrier parts a sum from the next.
#pragma once

#include "kernels/norm/spec.h"

namespace weft {

struct NormSmem {
  int32_t bytes = 0;

  WEFT_HD static constexpr NormSmem of(const NormWarpSpec& s) {
    return {2 * 4 * s.warps_per_row()};
  }
};

}  // namespace weft
