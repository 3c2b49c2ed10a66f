// SPDX-License-Identifier: Apache-2.0
// Two f32 to two neighbours of a narrower type in one word (PTX ISA, cvt). To nearest, ties to
// even; FP8 saturates, infinities too, and keeps NaN. FP8 before sm_89 is done in integers.
#pragma once

#include "kernels/ptx/convert.cuh"

namespace weft {

/// An f32 in the low byte as FP8 with `mantissa` bits: for architectures without the instruction.
template <DType type>
__device__ __forceinline__ uint32_t fp8_in_integers(float x) {
  constexpr int kMantissa = type == DType::e4m3 ? 3 : 2;
  constexpr int kBias = type == DType::e4m3 ? 7 : 15;
  constexpr float kMost = type == DType::e4m3 ? 448.0f : 57344.0f;
  // A sum with 2^23 times the smallest number rounds to its multiples: subnormals in one addition.
  constexpr float kRounder = type == DType::e4m3 ? 16384.0f : 128.0f;
  constexpr float kLeastNormal = type == DType::e4m3 ? 0.015625f : 6.103515625e-05f;
  const uint32_t sign = __float_as_uint(x) >> 24 & 0x80u;
  if (x != x) return sign | 0x7fu;
  const float size = fminf(fabsf(x), kMost);
  if (size < kLeastNormal) {
    return sign | (__float_as_uint(size + kRounder) - __float_as_uint(kRounder));
  }
  constexpr int kDropped = 23 - kMantissa;
  uint32_t bits = __float_as_uint(size);
  bits += (1u << (kDropped - 1)) - 1 + (bits >> kDropped & 1u);
  return sign | ((bits >> kDropped) - (uint32_t(127 - kBias) << kMantissa));
}

/// `low` and `high` as neighbours in memory: a word of two 16-bit numbers, or its lower half of two
/// FP8 numbers.
template <DType type>
__device__ __forceinline__ uint32_t pack_pair(float low, float high) {
  static_assert(is_float16(type) || is_fp8(type));
  if constexpr (is_float16(type)) {
    return pack2<type>(low, high);
  } else {
#if __CUDA_ARCH__ >= 890
    uint16_t half;
    if constexpr (type == DType::e4m3) {
      asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(half) : "f"(high), "f"(low));
    } else {
      asm("cvt.rn.satfinite.e5m2x2.f32 %0, %1, %2;" : "=h"(half) : "f"(high), "f"(low));
    }
    return half;
#else
    return fp8_in_integers<type>(low) | fp8_in_integers<type>(high) << 8;
#endif
  }
}

}  // namespace weft
