// SPDX-License-Identifier: Apache-2.0
// A counter in shared memory by which one thread of a CTA tells the others that what it wrote
// before is there (PTX ISA, ld.acquire and st.release of scope .cta).
#pragma once

#include "kernels/core/base.h"

namespace weft {

__device__ __forceinline__ void store_shared_release(uint32_t at, int32_t x) {
  asm volatile("st.release.cta.shared.b32 [%0], %1;" ::"r"(at), "r"(x) : "memory");
}

__device__ __forceinline__ int32_t load_shared_acquire(uint32_t at) {
  int32_t x;
  asm volatile("ld.acquire.cta.shared.b32 %0, [%1];" : "=r"(x) : "r"(at) : "memory");
  return x;
}

/// Waits until the counter is above `x`.
__device__ __forceinline__ void await_above(uint32_t at, int32_t x) {
  while (load_shared_acquire(at) <= x) {
  }
}

}  // namespace weft
