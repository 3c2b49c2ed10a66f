// SPDX-License-Identifier: Apache-2.0
// Atomics on shared memory by 32-bit address (PTX ISA, atom.shared, red.shared).
#pragma once

#include "kernels/core/base.h"

namespace weft {

/// The value before.
__device__ __forceinline__ uint32_t fetch_add_shared(uint32_t at, uint32_t x) {
  uint32_t before;
  asm volatile("atom.shared.add.u32 %0, [%1], %2;" : "=r"(before) : "r"(at), "r"(x) : "memory");
  return before;
}
__device__ __forceinline__ void add_shared(uint32_t at, uint32_t x) {
  asm volatile("red.shared.add.u32 [%0], %1;" ::"r"(at), "r"(x) : "memory");
}

}  // namespace weft
