// SPDX-License-Identifier: Apache-2.0
// Element types as types, and one load and one store for each: to f32 lanes, and rounded to nearest
// even from them. For kernels compiled per type (rows, merge). Per-ISA units only, like simd.h.
#pragma once

#include "src/cpu/simd.h"

namespace weft {
namespace {

// Element types in memory; f32 is float itself.
struct F16 {
  uint16_t bits;
};
struct Bf16 {
  uint16_t bits;
};
struct E4m3 {
  uint8_t bits;
};
struct E5m2 {
  uint8_t bits;
};

inline Vec load(const Bf16* p) { return widen_bf16(p, kWidth); }
inline Vec load(const F16* p) { return widen_f16(p, kWidth); }
inline void store(Bf16* p, Vec x) { narrow_bf16(p, x, kWidth); }
inline void store(F16* p, Vec x) { narrow_f16(p, x, kWidth); }

// FP8 with `mantissa` bits and largest magnitude `max`: rounds to nearest even, saturates
// (infinities too), and turns every NaN into 0x7f with its sign.
template <int mantissa, int bias>
inline void narrow_fp8(void* p, Vec x, float max, float subnormal_one) {
  constexpr int kDrop = 23 - mantissa;
  const Words u = bits_as<Words>(x);
  const Ints a = bits_as<Ints>(u & 0x7fffffff);
  const int32_t max_bits = bits_as<int32_t>(max);
  const Ints c = a > max_bits ? Ints{} + max_bits : a;
  // `subnormal_one` has the ulp of the smallest subnormal, so the addition rounds to it.
  const Ints small =
      bits_as<Ints>(bits_as<Vec>(c) + subnormal_one) - bits_as<int32_t>(subnormal_one);
  const Ints normal =
      ((c + ((1 << (kDrop - 1)) - 1) + ((c >> kDrop) & 1)) >> kDrop) - ((127 - bias) << mantissa);
  const Ints finite = c < (128 - bias) << 23 ? small : normal;
  const Ints code = x != x ? Ints{} + 0x7f : finite;
  narrow_bytes(p, bits_as<Words>(code) | ((u >> 24) & 0x80));
}

inline void store(E4m3* p, Vec x) { narrow_fp8<3, 7>(p, x, 448.0f, 0x1p14f); }
inline void store(E5m2* p, Vec x) { narrow_fp8<2, 15>(p, x, 57344.0f, 0x1p7f); }

// How far ahead of its reads and writes a kernel asks for lines. Worth 20 to 40 % from memory,
// where the hardware prefetchers stop at pages and lose track of short streams; of 1, 2 and 4 KiB,
// 2 was best for append, merge and rope.
constexpr int64_t kPrefetchBytes = 2048;

/// Asks for the `bytes` that lie kPrefetchBytes beyond p; the address need not exist.
inline void prefetch_beyond(const void* p, int64_t bytes) {
  const char* at = static_cast<const char*>(p) + kPrefetchBytes;
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(at + i);
}

/// The first n lanes; the others are 0. REQUIRES: 0 <= n <= kWidth.
template <class T>
inline Vec load_n(const T* p, int n) {
  T padded[kWidth] = {};
  memcpy(padded, p, static_cast<size_t>(n) * sizeof(T));
  return load(padded);
}

template <class T>
inline void store_n(T* p, Vec x, int n) {
  T padded[kWidth];
  store(padded, x);
  memcpy(p, padded, static_cast<size_t>(n) * sizeof(T));
}

/// load_n and store_n where n is mostly kWidth.
template <class T>
inline Vec load_lanes(const T* p, int n) {
  return n == kWidth ? load(p) : load_n(p, n);
}
template <class T>
inline void store_lanes(T* p, Vec x, int n) {
  if (n == kWidth) return store(p, x);
  store_n(p, x, n);
}

/// Calls f(i, x, n) for every register of in[0, count); the last may have n < kWidth lanes.
template <class In, class F>
[[gnu::always_inline]] inline void for_each_vec_of(const In* in, int count, F f) {
  int i = 0;
  for (; i + kWidth <= count; i += kWidth) {
    prefetch_beyond(in + i, kWidth * int64_t{sizeof(In)});
    f(i, load(in + i), kWidth);
  }
  if (i < count) f(i, load_n(in + i, count - i), count - i);
}

}  // namespace
}  // namespace weft
