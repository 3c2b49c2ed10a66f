// SPDX-License-Identifier: Apache-2.0
// AppendSmem: the shared memory of the append kernel, which is none: a row lives in registers.
#pragma once

#include "kernels/append/spec.h"

namespace weft {

struct AppendSmem {
  int32_t bytes = 0;

  WEFT_HD static constexpr AppendSmem of(const AppendWarpSpec&) { return {}; }
};

}  // namespace weft
