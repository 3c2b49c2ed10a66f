// SPDX-License-Identifier: Apache-2.0
// Atomics that order memory (PTX ISA, atom.acq_rel). A CTA that met at a barrier before and after
// publishes all it wrote, and sees all that earlier arrivals wrote, as long as it reads past the
// L1.
#pragma once

#include "kernels/core/base.h"

namespace weft {

/// Adds on the device's scope; returns the value before.
__device__ __forceinline__ int32_t add_acq_rel(int32_t* at, int32_t x) {
  int32_t before;
  asm volatile("atom.acq_rel.gpu.global.add.s32 %0, [%1], %2;"
               : "=r"(before)
               : "l"(at), "r"(x)
               : "memory");
  return before;
}

}  // namespace weft
