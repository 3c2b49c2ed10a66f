// SPDX-License-Identifier: Apache-2.0
// NoSmem: the shared memory of a kernel whose rows live in registers. Named by the stubs of merge,
// activation and packbits; known to the host that launches them.
#pragma once

#include "kernels/core/base.h"

namespace weft {

struct NoSmem {
  int32_t bytes = 0;

  template <class Spec>
  WEFT_HD static constexpr NoSmem of(const Spec&) {
    return {};
  }
};

}  // namespace weft
