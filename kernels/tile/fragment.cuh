// SPDX-License-Identifier: Apache-2.0
// How the 64 rows of a wgmma accumulator are spread over the 128 threads of a warpgroup: a thread
// holds two rows, 8 apart, and of each every fourth pair of columns. Value i of a thread:
//   row    16 * warp + lane / 4 + 8 * ((i / 2) % 2)
//   column 8 * (i / 4) + 2 * (lane % 4) + i % 2
// The four lanes of a quad share their rows. Read as A of a next product, the values of 16 columns
// are already where registers of A must be, so P never leaves the registers.
#pragma once

#include "kernels/ptx/convert.cuh"

namespace weft {

struct Fragment {
  /// Row, of 64, of half h (0 or 1) of this thread.
  static __device__ __forceinline__ int32_t row(int32_t half) {
    const int32_t t = static_cast<int32_t>(threadIdx.x % 128);
    return t / 32 * 16 + t % 32 / 4 + 8 * half;
  }
  /// Column of value 0.
  static __device__ __forceinline__ int32_t column() {
    return static_cast<int32_t>(threadIdx.x % 4) * 2;
  }
  static constexpr WEFT_HD int32_t half_of(int32_t value) { return value / 2 % 2; }
  /// Column of a value less that of value 0.
  static constexpr WEFT_HD int32_t column_of(int32_t value) { return value / 4 * 8 + value % 2; }
};

__device__ __forceinline__ float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}

__device__ __forceinline__ float quad_sum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

/// An accumulator rounded to A operands: registers 4k .. 4k + 3 are columns 16k .. 16k + 15.
template <DType kType, int n>
__device__ __forceinline__ void pack_fragment(const float (&d)[n], uint32_t (&a)[n / 2]) {
#pragma unroll
  for (int i = 0; i < n / 2; ++i) a[i] = pack2<kType>(d[2 * i], d[2 * i + 1]);
}

}  // namespace weft
