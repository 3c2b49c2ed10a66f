// SPDX-License-Identifier: Apache-2.0
// Vec in the compiler's own vector words: 4 lanes, which become SSE2, NEON or plain scalars. What
// runs where no better unit is built, and the reference for the others. Reached through simd.h.
#pragma once

#include <cstdint>
#include <cstring>

namespace weft {
namespace {

typedef float Vec __attribute__((vector_size(16), may_alias));
typedef int32_t IntVec __attribute__((vector_size(16), may_alias));
constexpr int kWidth = 4;
constexpr int kMicroRows = 6;
constexpr int kMicroVecs = 2;

inline Vec splat(float x) { return Vec{x, x, x, x}; }
inline Vec load(const float* p) {
  Vec x;
  memcpy(&x, p, sizeof(x));
  return x;
}
inline void store(float* p, Vec x) { memcpy(p, &x, sizeof(x)); }
inline Vec load_first(const float* p, int) { return load(p); }
inline void store_first(float* p, Vec x, int) { store(p, x); }

// 32-bit words, whatever they hold.
inline Vec load_words(const void* p) {
  Vec x;
  memcpy(&x, p, sizeof(x));
  return x;
}
inline Vec load_words_first(const void* p, int) { return load_words(p); }
inline void store_words(void* p, Vec x) { memcpy(p, &x, sizeof(x)); }
inline Vec splat_word(const void* p) {
  float word;
  memcpy(&word, p, sizeof(word));
  return splat(word);
}

inline Vec mul_add(Vec a, Vec b, Vec c) { return a * b + c; }
// The second of an unordered pair, as the x86 instruction does.
inline Vec max_each(Vec a, Vec b) { return a > b ? a : b; }
inline Vec abs_each(Vec a) { return bits_as<Vec>(bits_as<IntVec>(a) & 0x7fffffff); }
inline bool any_greater(Vec a, Vec b) {
  const IntVec g = a > b;
  return (g[0] | g[1] | g[2] | g[3]) != 0;
}
inline float reduce_max(Vec a) {
  const float x = a[0] > a[1] ? a[0] : a[1];
  const float y = a[2] > a[3] ? a[2] : a[3];
  return x > y ? x : y;
}
inline float reduce_add(Vec a) { return (a[0] + a[1]) + (a[2] + a[3]); }

/// a where the lane's bit is set, b elsewhere.
inline Vec select(uint32_t bits, Vec a, Vec b) {
  const IntVec lane = {1, 2, 4, 8};
  return (lane & static_cast<int32_t>(bits & 15)) != 0 ? a : b;
}
inline Vec select_less(Vec x, Vec y, Vec a, Vec b) { return x < y ? a : b; }
/// a with the sign of b. REQUIRES: a >= 0.
inline Vec copy_sign(Vec a, Vec b) {
  return bits_as<Vec>(bits_as<IntVec>(a) | (bits_as<IntVec>(b) & INT32_MIN));
}

inline Vec floor_of(Vec x) {
  const Vec truncated = __builtin_convertvector(__builtin_convertvector(x, IntVec), Vec);
  return truncated > x ? truncated - 1.0f : truncated;
}
/// x - floor(x). REQUIRES: x is finite or NaN, or scale_by_pow2 makes the result 0.
inline Vec fraction(Vec x) {
  const Vec clamped = max_each(splat(-127.0f), x);  // keeps NaN
  return clamped - floor_of(clamped);
}
/// p * 2^floor(x) for x < 127; 0 for x < -126.
inline Vec scale_by_pow2(Vec p, Vec x) {
  const Vec inside = x >= -126.0f ? x : splat(-126.0f);
  const IntVec power = (__builtin_convertvector(floor_of(inside), IntVec) + 127) << 23;
  return x < -126.0f ? Vec{} : p * bits_as<Vec>(power);
}

inline float float_of_bits(uint32_t bits) { return bits_as<float>(bits); }
// Exponents of f16 and f32 differ by 112; the multiplication normalises subnormals as well.
inline float float_of_f16(uint32_t h) {
  const uint32_t rest = (h & 0x7fff) << 13;
  const uint32_t special = rest | 0x7f800000;
  const uint32_t finite = bits_as<uint32_t>(float_of_bits(rest) * 0x1p112f);
  return float_of_bits((rest >= 0x7c00u << 13 ? special : finite) | (h & 0x8000) << 16);
}
// As f16 with the exponent bias off by 8; 0x7f is NaN.
inline float float_of_e4m3(uint32_t b) {
  if ((b & 0x7f) == 0x7f) return __builtin_nanf("");
  return float_of_f16((b & 0x80) << 8 | (b & 0x7f) << 7) * 256.0f;
}

inline Vec widen_bf16(const void* p, int) {
  uint16_t h[4];
  memcpy(h, p, sizeof(h));
  return Vec{float_of_bits(uint32_t{h[0]} << 16), float_of_bits(uint32_t{h[1]} << 16),
             float_of_bits(uint32_t{h[2]} << 16), float_of_bits(uint32_t{h[3]} << 16)};
}
inline Vec widen_f16(const void* p, int) {
  uint16_t h[4];
  memcpy(h, p, sizeof(h));
  return Vec{float_of_f16(h[0]), float_of_f16(h[1]), float_of_f16(h[2]), float_of_f16(h[3])};
}
inline Vec widen_e5m2(const void* p, int) {
  uint8_t b[4];
  memcpy(b, p, sizeof(b));
  return Vec{float_of_f16(b[0] << 8), float_of_f16(b[1] << 8), float_of_f16(b[2] << 8),
             float_of_f16(b[3] << 8)};
}
inline Vec widen_e4m3(const void* p, int) {
  uint8_t b[4];
  memcpy(b, p, sizeof(b));
  return Vec{float_of_e4m3(b[0]), float_of_e4m3(b[1]), float_of_e4m3(b[2]), float_of_e4m3(b[3])};
}

// 2 * kWidth elements, the even ones in x[0] and the odd ones in x[1]. Rows end in whole ones.
template <bool>
inline void split_bf16(const void* p, int, Vec (&x)[2]) {
  const IntVec w = bits_as<IntVec>(load_words(p));
  x[0] = bits_as<Vec>(w << 16);
  x[1] = bits_as<Vec>(w & -0x10000);
}
template <bool>
inline void split_e5m2(const void* p, int, Vec (&x)[2]) {
  uint8_t b[8];
  memcpy(b, p, sizeof(b));
  x[0] = Vec{float_of_f16(b[0] << 8), float_of_f16(b[2] << 8), float_of_f16(b[4] << 8),
             float_of_f16(b[6] << 8)};
  x[1] = Vec{float_of_f16(b[1] << 8), float_of_f16(b[3] << 8), float_of_f16(b[5] << 8),
             float_of_f16(b[7] << 8)};
}
// Times 2^-8, as the other units have it.
template <bool>
inline void split_e4m3(const void* p, int, Vec (&x)[2]) {
  uint8_t b[8];
  memcpy(b, p, sizeof(b));
  x[0] = Vec{float_of_e4m3(b[0]), float_of_e4m3(b[2]), float_of_e4m3(b[4]), float_of_e4m3(b[6])};
  x[1] = Vec{float_of_e4m3(b[1]), float_of_e4m3(b[3]), float_of_e4m3(b[5]), float_of_e4m3(b[7])};
  x[0] *= 0x1p-8f;
  x[1] *= 0x1p-8f;
}
/// The even lanes of a register pair, and the odd ones.
inline void unzip(Vec a, Vec b, Vec (&x)[2]) {
  x[0] = Vec{a[0], a[2], b[0], b[2]};
  x[1] = Vec{a[1], a[3], b[1], b[3]};
}
/// Even and odd elements side by side again.
inline void join(Vec even, Vec odd, Vec (&x)[2]) {
  x[0] = Vec{even[0], odd[0], even[1], odd[1]};
  x[1] = Vec{even[2], odd[2], even[3], odd[3]};
}

// Round to nearest even; NaN stays NaN.
inline uint16_t bf16_of(float x) {
  const uint32_t u = bits_as<uint32_t>(x);
  if (x != x) return static_cast<uint16_t>(u >> 16 | 0x40);
  return static_cast<uint16_t>((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
inline uint16_t f16_of(float x) {
  const uint32_t u = bits_as<uint32_t>(x);
  const uint32_t sign = u >> 16 & 0x8000;
  const uint32_t a = u & 0x7fffffff;
  if (a > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00);
  if (a >= 0x47800000) return static_cast<uint16_t>(sign | 0x7c00);
  // A subnormal result: 0.5 has the ulp 2^-24 of f16's smallest, so the addition rounds to it.
  if (a < 0x38800000) {
    return static_cast<uint16_t>(sign | (bits_as<uint32_t>(float_of_bits(a) + 0.5f) - 0x3f000000));
  }
  return static_cast<uint16_t>(sign | (((a + 0xfff + (a >> 13 & 1)) >> 13) - (112 << 10)));
}
inline void narrow_bf16(void* p, Vec x, int) {
  const uint16_t h[4] = {bf16_of(x[0]), bf16_of(x[1]), bf16_of(x[2]), bf16_of(x[3])};
  memcpy(p, h, sizeof(h));
}
inline void narrow_f16(void* p, Vec x, int) {
  const uint16_t h[4] = {f16_of(x[0]), f16_of(x[1]), f16_of(x[2]), f16_of(x[3])};
  memcpy(p, h, sizeof(h));
}

/// The low byte of each word. REQUIRES: the others are 0.
template <class Integers>
inline void narrow_bytes(void* p, Integers x) {
  const uint8_t b[4] = {static_cast<uint8_t>(x[0]), static_cast<uint8_t>(x[1]),
                        static_cast<uint8_t>(x[2]), static_cast<uint8_t>(x[3])};
  memcpy(p, b, sizeof(b));
}
inline Vec swap_neighbours(Vec a) { return Vec{a[1], a[0], a[3], a[2]}; }

/// Lane i of the result is the sum of the lanes of a[i].
inline Vec sum_each(Vec (&a)[kWidth]) {
  return Vec{reduce_add(a[0]), reduce_add(a[1]), reduce_add(a[2]), reduce_add(a[3])};
}

/// Words of 4 rows, transposed: word w of row i goes to to[w * stride + i].
inline void transpose_words(const char* const* rows, int64_t offset, int, uint32_t* to,
                            int64_t stride) {
  uint32_t words[4][4];
  for (int i = 0; i < 4; ++i) memcpy(words[i], rows[i] + offset, sizeof(words[i]));
  for (int w = 0; w < 4; ++w) {
    for (int i = 0; i < 4; ++i) to[w * stride + i] = words[i][w];
  }
}

}  // namespace
}  // namespace weft
