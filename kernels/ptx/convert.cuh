// SPDX-License-Identifier: Apache-2.0
// Rounding between f32 and 16-bit elements, and the approximate functions of the special-function
// unit (PTX ISA, cvt, ex2, lg2, rcp, sin, cos).
#pragma once

#include "kernels/core/dtype.h"

namespace weft {

/// Two elements in a word, `low` in the lower half.
template <DType dtype>
__device__ __forceinline__ uint32_t pack2(float low, float high) {
  static_assert(is_float16(dtype));
  uint32_t r;
  if constexpr (dtype == DType::bf16) {
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  } else {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  }
  return r;
}

template <DType dtype>
__device__ __forceinline__ uint16_t narrow(float x) {
  return static_cast<uint16_t>(pack2<dtype>(x, 0.0f));
}

template <DType dtype>
__device__ __forceinline__ float widen(uint16_t bits) {
  static_assert(is_float16(dtype));
  if constexpr (dtype == DType::bf16) {
    return __uint_as_float(static_cast<uint32_t>(bits) << 16);
  } else {
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
    return x;
  }
}

/// The two elements of a word.
template <DType dtype>
__device__ __forceinline__ void unpack2(uint32_t word, float& low, float& high) {
  if constexpr (dtype == DType::bf16) {
    low = __uint_as_float(word << 16);
    high = __uint_as_float(word & 0xffff0000u);
  } else {
    low = widen<dtype>(static_cast<uint16_t>(word));
    high = widen<dtype>(static_cast<uint16_t>(word >> 16));
  }
}

/// Bytes 0 and 2 of a word, or 1 and 3.
__device__ __forceinline__ uint16_t alternate_bytes(uint32_t word, int32_t first) {
  return static_cast<uint16_t>(__byte_perm(word, 0, first == 0 ? 0x4420 : 0x4431));
}

/// Two one-byte elements, the lower byte first, as two of `to` (sm_89 and later). Exact.
template <DType from, DType to>
__device__ __forceinline__ uint32_t widen_fp8(uint16_t pair) {
  static_assert(is_fp8(from) && is_float16(to));
  uint32_t halves;
  if constexpr (from == DType::e4m3) {
    asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(halves) : "h"(pair));
  } else {
    asm("cvt.rn.f16x2.e5m2x2 %0, %1;" : "=r"(halves) : "h"(pair));
  }
  if constexpr (to == DType::f16) return halves;
  float low, high;
  unpack2<DType::f16>(halves, low, high);
  return pack2<DType::bf16>(low, high);
}

__device__ __forceinline__ float exp2_approx(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ __forceinline__ float log2_approx(float x) {
  float y;
  asm("lg2.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// Relative error below 2^-22; 0 at infinity.
__device__ __forceinline__ float rsqrt_approx(float x) {
  float y;
  asm("rsqrt.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ __forceinline__ float rcp_approx(float x) {
  float y;
  asm("rcp.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// 1 - 2 / (1 + e^2x): absolute error below 3e-7, and exactly +-1 far out.
__device__ __forceinline__ float tanh_approx(float x) {
  return 1.0f - 2.0f * rcp_approx(1.0f + exp2_approx(x * 2.88539008f));
}

/// Absolute error below 5e-7 on [-pi, pi].
__device__ __forceinline__ float sin_approx(float x) {
  float y;
  asm("sin.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
__device__ __forceinline__ float cos_approx(float x) {
  float y;
  asm("cos.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

}  // namespace weft
