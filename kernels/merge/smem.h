// SPDX-License-Identifier: Apache-2.0
// MergeSmem: the shared memory of the merge kernel, which is none: a row lives in registers.
#pragma once

#include "kernels/merge/spec.h"

namespace weft {

struct MergeSmem {
  int32_t bytes = 0;

  WEFT_HD static constexpr MergeSmem of(const MergeWarpSpec&) { return {}; }
};

}  // namespace weft
