// SPDX-License-Identifier: Apache-2.0
// A register of f32 lanes, as wide as the unit that includes this header is compiled for: loads
// that widen f16 and bf16 to f32, stores that round f32 to any element type. Included only by
// per-ISA units. Everything is in an anonymous namespace: no copy may be shared between units.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace weft {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
// GCC 12 warns inside the unmasked AVX-512 intrinsics; a full mask compiles to the same code.
constexpr uint16_t kAllLanes = 0xffff;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

using F32 [[gnu::vector_size(4 * kLanes)]] = float;
using I32 [[gnu::vector_size(4 * kLanes)]] = int32_t;
using U32 [[gnu::vector_size(4 * kLanes)]] = uint32_t;
using U16 [[gnu::vector_size(2 * kLanes)]] = uint16_t;
using U8 [[gnu::vector_size(kLanes)]] = uint8_t;

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

template <class To, class From>
inline To bits_as(const From& from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof(to));
  return to;
}

inline F32 splat(float x) { return x - F32{}; }  // x + 0 would turn -0 into 0

template <class Bits, class T>
inline Bits load_bits(const T* p) {
  Bits b;
  memcpy(&b, p, sizeof(b));
  return b;
}

// Widening and narrowing by name: g++ 12 splits __builtin_convertvector into halves.
inline U32 widen(const uint16_t* p) {
#if defined(__AVX512F__)
  return bits_as<U32>(_mm512_maskz_cvtepu16_epi32(kAllLanes, load_bits<__m256i>(p)));
#elif defined(__AVX2__)
  return bits_as<U32>(_mm256_cvtepu16_epi32(load_bits<__m128i>(p)));
#else
  return __builtin_convertvector(load_bits<U16>(p), U32);
#endif
}

// REQUIRES: every lane fits.
inline U16 narrow16(U32 x) {
#if defined(__AVX512F__)
  return bits_as<U16>(_mm512_maskz_cvtepi32_epi16(kAllLanes, bits_as<__m512i>(x)));
#elif defined(__AVX2__)
  const __m256i pairs = _mm256_packus_epi32(bits_as<__m256i>(x), bits_as<__m256i>(x));
  return bits_as<U16>(_mm256_castsi256_si128(_mm256_permute4x64_epi64(pairs, 0x08)));
#else
  return __builtin_convertvector(x, U16);
#endif
}

// REQUIRES: every lane fits.
inline U8 narrow8(U32 x) {
#if defined(__AVX512F__)
  return bits_as<U8>(_mm512_maskz_cvtepi32_epi8(kAllLanes, bits_as<__m512i>(x)));
#elif defined(__AVX2__)
  const __m128i words = bits_as<__m128i>(narrow16(x));
  return bits_as<U8>(_mm_cvtsi128_si64(_mm_packus_epi16(words, words)));
#else
  return __builtin_convertvector(x, U8);
#endif
}

inline F32 load(const float* p) { return load_bits<F32>(p); }

inline F32 load(const Bf16* p) { return bits_as<F32>(widen(&p->bits) << 16); }

inline F32 load(const F16* p) {
#if defined(__AVX512F__)
  return bits_as<F32>(_mm512_maskz_cvtph_ps(kAllLanes, load_bits<__m256i>(p)));
#elif defined(__AVX2__)
  return bits_as<F32>(_mm256_cvtph_ps(load_bits<__m128i>(p)));
#else
  const U32 h = widen(&p->bits);
  const U32 rest = h & 0x7fff;
  // Exponents differ by 112; a multiplication normalises subnormals as well.
  U32 u = bits_as<U32>(bits_as<F32>(rest << 13) * 0x1p112f);
  u = rest >= 0x7c00 ? (rest << 13) | 0x7f800000 : u;
  return bits_as<F32>(u | (h & 0x8000) << 16);
#endif
}

inline void store(float* p, F32 x) { memcpy(p, &x, sizeof(x)); }

// Round to nearest even by adding half an ulp less one, plus the bit that becomes the last.
inline void store(Bf16* p, F32 x) {
  const U32 u = bits_as<U32>(x);
  const U32 rounded = u + 0x7fff + ((u >> 16) & 1);
  const U16 narrow = narrow16((x != x ? u | 0x400000 : rounded) >> 16);
  memcpy(p, &narrow, sizeof(narrow));
}

inline void store(F16* p, F32 x) {
#if defined(__AVX512F__)
  const __m256i narrow =
      _mm512_maskz_cvtps_ph(kAllLanes, bits_as<__m512>(x), _MM_FROUND_TO_NEAREST_INT);
#elif defined(__AVX2__)
  const __m128i narrow = _mm256_cvtps_ph(bits_as<__m256>(x), _MM_FROUND_TO_NEAREST_INT);
#else
  const U32 u = bits_as<U32>(x);
  const I32 a = bits_as<I32>(u & 0x7fffffff);
  // Subnormal results: 0.5f has the ulp 2^-24, so the addition rounds to it.
  const I32 small = bits_as<I32>(bits_as<F32>(a) + 0.5f) - 0x3f000000;
  // Unsigned: the sum wraps for NaN, which does not use it.
  const U32 odd = (bits_as<U32>(a) >> 13) & 1;
  const I32 normal = bits_as<I32>((bits_as<U32>(a) + 0xfff + odd) >> 13) - (112 << 10);
  const I32 special = a > 0x7f800000 ? ((a >> 13) & 0x3ff) | 0x7e00 : I32{} + 0x7c00;
  const I32 h = a >= 0x47800000 ? special : a < 0x38800000 ? small : normal;
  const U16 narrow = narrow16(bits_as<U32>(h) | ((u >> 16) & 0x8000));
#endif
  memcpy(p, &narrow, sizeof(narrow));
}

// FP8 with `mantissa` bits and largest magnitude `max`: rounds to nearest even, saturates
// (infinities too), and turns every NaN into 0x7f with its sign.
template <int mantissa, int bias>
inline U8 to_fp8(F32 x, float max, float subnormal_one) {
  constexpr int kDrop = 23 - mantissa;
  const U32 u = bits_as<U32>(x);
  const I32 a = bits_as<I32>(u & 0x7fffffff);
  const int32_t max_bits = bits_as<int32_t>(max);
  const I32 c = a > max_bits ? I32{} + max_bits : a;
  // `subnormal_one` has the ulp of the smallest subnormal, so the addition rounds to it.
  const I32 small = bits_as<I32>(bits_as<F32>(c) + subnormal_one) - bits_as<int32_t>(subnormal_one);
  const I32 normal =
      ((c + ((1 << (kDrop - 1)) - 1) + ((c >> kDrop) & 1)) >> kDrop) - ((127 - bias) << mantissa);
  const I32 finite = c < (128 - bias) << 23 ? small : normal;
  const I32 code = x != x ? I32{} + 0x7f : finite;
  return narrow8(bits_as<U32>(code) | ((u >> 24) & 0x80));
}

inline void store(E4m3* p, F32 x) {
  const U8 b = to_fp8<3, 7>(x, 448.0f, 0x1p14f);
  memcpy(p, &b, sizeof(b));
}

inline void store(E5m2* p, F32 x) {
  const U8 b = to_fp8<2, 15>(x, 57344.0f, 0x1p7f);
  memcpy(p, &b, sizeof(b));
}

// How far ahead of its reads and writes a kernel asks for lines. Worth 20 to 40 % from memory,
// where the hardware prefetchers stop at pages and lose track of short streams; of 1, 2 and 4 KiB,
// 2 was best for append, merge and rope.
constexpr int64_t kPrefetchBytes = 2048;

/// Asks for the `bytes` that lie kPrefetchBytes beyond p; the address need not exist.
inline void prefetch_beyond(const void* p, int64_t bytes) {
  const char* at = static_cast<const char*>(p) + kPrefetchBytes;
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(at + i);
}

/// The first n lanes; the others are 0. REQUIRES: 0 <= n <= kLanes.
template <class T>
inline F32 load_n(const T* p, int n) {
  T padded[kLanes] = {};
  memcpy(padded, p, static_cast<size_t>(n) * sizeof(T));
  return load(padded);
}

template <class T>
inline void store_n(T* p, F32 x, int n) {
  T padded[kLanes];
  store(padded, x);
  memcpy(p, padded, static_cast<size_t>(n) * sizeof(T));
}

}  // namespace
}  // namespace weft
