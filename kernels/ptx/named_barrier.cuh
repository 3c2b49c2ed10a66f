// SPDX-License-Identifier: Apache-2.0
// The sixteen named barriers of a CTA (PTX ISA, barrier.cta). Barrier 0 is __syncthreads. `threads`
// counts all that sync or arrive in a round, a multiple of 32.
#pragma once

#include "kernels/core/base.h"

namespace weft {

__device__ __forceinline__ void named_barrier_sync(uint32_t barrier, uint32_t threads) {
  asm volatile("barrier.cta.sync.aligned %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

/// Counts as arrived and goes on.
__device__ __forceinline__ void named_barrier_arrive(uint32_t barrier, uint32_t threads) {
  asm volatile("barrier.cta.arrive.aligned %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

}  // namespace weft
