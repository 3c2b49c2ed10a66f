// SPDX-License-Identifier: Apache-2.0
// kernels/ptx/shared_flag.cuh on the host.
#pragma once

#include "kernels/ptx/shared.cuh"
#include "tests/simt/simt.h"

namespace weft {

inline void store_shared_release(uint32_t at, int32_t x) { store_shared(at, x); }
inline int32_t load_shared_acquire(uint32_t at) { return load_shared_i32(at); }
inline void await_above(uint32_t at, int32_t x) {
  simt::wait_until([at, x] { return load_shared_i32(at) > x; });
}

}  // namespace weft
