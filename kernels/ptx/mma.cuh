// SPDX-License-Identifier: Apache-2.0
// Warp-wide matrix product c += a b of 16x16 by 16x8 elements, f32 accumulators (PTX ISA,
// mma.m16n8k16; sm_80 and later). With g = lane / 4 and t = lane % 4 a lane holds
//   a: rows g, g + 8 by columns 2t, 2t + 1 (a[0], a[1]) and the same + 8 (a[2], a[3])
//   b: rows 2t, 2t + 1 (b0) and the same + 8 (b1) of column g
//   c: columns 2t, 2t + 1 of row g (c[0], c[1]) and of row g + 8 (c[2], c[3])
#pragma once

#include "kernels/core/dtype.h"

namespace weft {

template <DType dtype>
__device__ __forceinline__ void mma16816(float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
                                         uint32_t b1) {
  static_assert(is_float16(dtype));
  if constexpr (dtype == DType::bf16) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  } else {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
}

}  // namespace weft
