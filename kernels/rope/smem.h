// SPDX-License-Identifier: Apache-2.0
// RopeSmem: the shared memory of the rope kernel, which is none: a row lives in registers.
#pragma once

#include "kernels/rope/spec.h"

namespace weft {

struct RopeSmem {
  int32_t bytes = 0;

  WEFT_HD static constexpr RopeSmem of(const RopeWarpSpec&) { return {}; }
};

}  // namespace weft
