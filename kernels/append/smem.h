// SPDX-License-Identifier: Apache-2.0
// AppendSmem: the shared memory of the append kernel: the angles of each warp's token.
#pragma once

#include "kernels/append/spec.h"

namespace weft {

struct AppendSmem {
  int32_t bytes = 0;

  WEFT_HD static constexpr AppendSmem of(const AppendWarpSpec& s) {
    return {s.num_threads / 32 * s.key_rows().angle_bytes()};
  }
};

}  // namespace weft
