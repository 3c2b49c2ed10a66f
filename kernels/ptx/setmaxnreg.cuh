// SPDX-License-Identifier: Apache-2.0
// Registers moved between the warpgroups of a CTA (PTX ISA, setmaxnreg; sm_90a). Acts only in a
// kernel with a register cap at entry, each role one branch of a single if/else; else ptxas ignores
// it and says so (C7508). The pool is 64 K registers an SM; counts are multiples of 8.
#pragma once

#include "kernels/core/base.h"

namespace weft {

/// Gives registers back. All warps of the warpgroup execute it.
template <int kRegisters>
__device__ __forceinline__ void release_registers() {
  static_assert(kRegisters % 8 == 0 && kRegisters >= 24);
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

/// Waits until the pool has enough. All warps of the warpgroup execute it.
template <int kRegisters>
__device__ __forceinline__ void claim_registers() {
  static_assert(kRegisters % 8 == 0 && kRegisters <= 256);
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

}  // namespace weft
