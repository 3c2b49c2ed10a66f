// SPDX-License-Identifier: Apache-2.0
// The few words every portable header needs: host/device marks and fixed-width integers.
// Included by all of kernels/; must compile under g++, clang, nvcc and NVRTC, so it includes no
// standard header where NVRTC is the compiler.
#pragma once

#if defined(__CUDACC_RTC__)
using int8_t = signed char;
using uint8_t = unsigned char;
using int16_t = short;
using uint16_t = unsigned short;
using int32_t = int;
using uint32_t = unsigned int;
using int64_t = long long;
using uint64_t = unsigned long long;
#else
#include <cstdint>
#endif

#if defined(__CUDACC__)
#define WEFT_HD __host__ __device__ __forceinline__
#else
// Always inlined: a unit compiled for AVX-512 must not leave a copy that the linker then hands to
// everyone.
#define WEFT_HD inline __attribute__((always_inline))
#endif

// In front of a short loop that a device compiler must not write out.
#if defined(__CUDACC__)
#define WEFT_KEEP_LOOP _Pragma("unroll 1")
#else
#define WEFT_KEEP_LOOP
#endif

namespace weft {

template <class T>
WEFT_HD constexpr T min_of(T a, T b) {
  return b < a ? b : a;
}

template <class T>
WEFT_HD constexpr T max_of(T a, T b) {
  return a < b ? b : a;
}

template <class T>
WEFT_HD constexpr T clamp_to(T x, T lo, T hi) {
  return max_of(lo, min_of(x, hi));
}

/// Quotient rounded up, for any a up to the largest T. REQUIRES: a >= 0, b > 0.
template <class T>
WEFT_HD constexpr T ceil_div(T a, T b) {
  return a / b + (a % b != 0 ? 1 : 0);
}

template <class T>
WEFT_HD constexpr T round_up(T a, T b) {
  return ceil_div(a, b) * b;
}

/// a / b for the division by a tile size, which nearly always is a power of two: one clock instead
/// of ten on a host. On a device b is a constant and the compiler needs no help.
/// REQUIRES: b > 0.
WEFT_HD constexpr int32_t tile_div(uint32_t a, int32_t b) {
  const uint32_t divisor = static_cast<uint32_t>(b);
#if !defined(__CUDACC__)
  if ((divisor & (divisor - 1)) == 0) return static_cast<int32_t>(a >> __builtin_ctz(divisor));
#endif
  return static_cast<int32_t>(a / divisor);
}

}  // namespace weft
