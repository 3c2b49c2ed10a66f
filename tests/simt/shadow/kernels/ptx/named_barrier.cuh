// SPDX-License-Identifier: Apache-2.0
// kernels/ptx/named_barrier.cuh on the host.
#pragma once

#include "tests/simt/simt.h"

namespace weft {

inline void named_barrier_sync(uint32_t barrier, uint32_t threads) {
  simt::meet(static_cast<int>(barrier), static_cast<int>(threads));
}
inline void named_barrier_arrive(uint32_t barrier, uint32_t threads) {
  simt::arrive(static_cast<int>(barrier), static_cast<int>(threads));
}

}  // namespace weft
