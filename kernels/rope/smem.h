// SPDX-License-Identifier: Apache-2.0
// RopeSmem: the shared memory of the rope kernel: the angles of each warp's token.
#pragma once

#include "kernels/rope/spec.h"

namespace weft {

struct RopeSmem {
  int32_t bytes = 0;

  WEFT_HD static constexpr RopeSmem of(const RopeWarpSpec& s) {
    return {s.num_threads / 32 * s.rows().angle_bytes()};
  }
};

}  // namespace weft
