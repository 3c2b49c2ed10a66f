// SPDX-License-Identifier: Apache-2.0
// kernels/ptx/atomic.cuh on the host.
#pragma once

#include <cstdint>

namespace weft {

inline int32_t add_acq_rel(int32_t* at, int32_t x) {
  const int32_t before = *at;
  *at += x;
  return before;
}

}  // namespace weft
