// SPDX-License-Identifier: Apache-2.0
// Four 8x8 matrices of 16-bit elements from shared memory to the registers of a warp (PTX ISA,
// ldmatrix; sm_75 and later). Lane l gives the address of row l % 8 of matrix l / 8.
#pragma once

#include "kernels/core/base.h"

namespace weft {

__device__ __forceinline__ void ldmatrix4(uint32_t (&r)[4], uint32_t at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(at)
               : "memory");
}

/// Each matrix transposed.
__device__ __forceinline__ void ldmatrix4_trans(uint32_t (&r)[4], uint32_t at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(at)
               : "memory");
}

}  // namespace weft
