// SPDX-License-Identifier: Apache-2.0
// Vec on AVX2, FMA and F16C: 8 lanes. Reached through simd.h, which says the rules. Dimensions are
// multiples of 8 everywhere, so a register of elements is always full, and one of words that hold
// two is full or half full: what takes a number of lanes tells these apart at most.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace weft {
namespace {

using Vec = __m256;
constexpr int kWidth = 8;
// Rows x vectors of a micro-tile: 12 accumulators, 2 operands and a broadcast fit 16 registers.
constexpr int kMicroRows = 6;
constexpr int kMicroVecs = 2;

inline Vec splat(float x) { return _mm256_set1_ps(x); }
inline Vec load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, Vec x) { _mm256_storeu_ps(p, x); }
inline Vec load_first(const float* p, int) { return load(p); }
inline void store_first(float* p, Vec x, int) { store(p, x); }

// 32-bit words, whatever they hold.
inline Vec load_words(const void* p) {
  return _mm256_castsi256_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
}
inline Vec load_words_first(const void* p, int n) {
  if (n == kWidth) return load_words(p);
  const __m128i half = _mm_loadu_si128(static_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_zextsi128_si256(half));
}
inline void store_words(void* p, Vec x) { _mm256_storeu_ps(static_cast<float*>(p), x); }
inline Vec splat_word(const void* p) {
  int word;
  memcpy(&word, p, sizeof(word));
  return _mm256_castsi256_ps(_mm256_set1_epi32(word));
}

inline Vec mul_add(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
inline Vec max_each(Vec a, Vec b) { return _mm256_max_ps(a, b); }
inline Vec abs_each(Vec a) { return _mm256_andnot_ps(splat(-0.0f), a); }
inline bool any_greater(Vec a, Vec b) {
  return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ)) != 0;
}
inline float reduce_max(Vec a) {
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}
inline float reduce_add(Vec a) {
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}

/// a where the lane's bit is set, b elsewhere.
inline Vec select(uint32_t bits, Vec a, Vec b) {
  const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i set = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits)), lane);
  return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, lane)));
}
inline Vec select_less(Vec x, Vec y, Vec a, Vec b) {
  return _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, y, _CMP_LT_OQ));
}
/// a with the sign of b. REQUIRES: a >= 0.
inline Vec copy_sign(Vec a, Vec b) { return _mm256_or_ps(a, _mm256_and_ps(b, splat(-0.0f))); }

/// x - floor(x). REQUIRES: x is finite or NaN, or scale_by_pow2 makes the result 0.
inline Vec fraction(Vec x) {
  const Vec clamped = max_each(splat(-127.0f), x);  // keeps NaN
  return clamped - _mm256_floor_ps(clamped);
}
/// p * 2^floor(x) for x < 127; 0 for x < -126.
inline Vec scale_by_pow2(Vec p, Vec x) {
  const __m256i exponent = _mm256_cvtps_epi32(_mm256_floor_ps(max_each(splat(-126.0f), x)));
  const __m256i power = _mm256_slli_epi32(_mm256_add_epi32(exponent, _mm256_set1_epi32(127)), 23);
  const Vec small = _mm256_cmp_ps(x, splat(-126.0f), _CMP_LT_OQ);
  return _mm256_andnot_ps(small, p * _mm256_castsi256_ps(power));
}

inline Vec widen_bf16(const void* p, int) {
  const __m128i h = _mm_loadu_si128(static_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}
inline Vec widen_f16(const void* p, int) {
  return _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(p)));
}
inline Vec widen_e5m2(const void* p, int) {
  const __m128i w = _mm_cvtepu8_epi16(_mm_loadl_epi64(static_cast<const __m128i*>(p)));
  return _mm256_cvtph_ps(_mm_slli_epi16(w, 8));
}
// As f16 with the exponent bias off by 8; subnormals come out right too. Only 0x7f, which is NaN,
// becomes 480.
inline Vec widen_e4m3(const void* p, int) {
  const __m128i w = _mm_cvtepu8_epi16(_mm_loadl_epi64(static_cast<const __m128i*>(p)));
  const __m128i sign = _mm_and_si128(_mm_slli_epi16(w, 8), _mm_set1_epi16(-0x8000));
  const __m128i magnitude = _mm_slli_epi16(_mm_and_si128(w, _mm_set1_epi16(0x7f)), 7);
  const Vec x = _mm256_cvtph_ps(_mm_or_si128(sign, magnitude)) * splat(256.0f);
  return select_less(abs_each(x), splat(480.0f), x, splat(__builtin_nanf("")));
}

// 2 * kWidth elements as they lie, the even ones in x[0] and the odd ones in x[1]: a shift and a
// mask, where widening in order pays a shuffle an element. kTail: only the first half exists.
template <bool kTail>
inline void split_bf16(const void* p, int, Vec (&x)[2]) {
  const __m256i w = _mm256_castps_si256(load_words_first(p, kTail ? kWidth / 2 : kWidth));
  x[0] = _mm256_castsi256_ps(_mm256_slli_epi32(w, 16));
  x[1] = _mm256_castsi256_ps(_mm256_and_si256(w, _mm256_set1_epi32(-0x10000)));
}
template <bool kTail>
inline __m128i load_bytes(const void* p) {
  const __m128i* at = static_cast<const __m128i*>(p);
  return kTail ? _mm_loadl_epi64(at) : _mm_loadu_si128(at);
}
template <bool kTail>
inline void split_e5m2(const void* p, int, Vec (&x)[2]) {
  const __m128i w = load_bytes<kTail>(p);
  x[0] = _mm256_cvtph_ps(_mm_slli_epi16(w, 8));
  x[1] = _mm256_cvtph_ps(_mm_and_si128(w, _mm_set1_epi16(-0x100)));
}
// The high byte of each word from e4m3 to f16, whose exponent bias is 8 more: 2^-8 of the value.
// Only 0x7f, which is NaN, carries into bit 14, and becomes a NaN of f16.
inline __m128i half_of_e4m3(__m128i w) {
  const __m128i h = _mm_and_si128(_mm_srai_epi16(w, 1), _mm_set1_epi16(-0x4080));
  const __m128i carry = _mm_add_epi16(h, _mm_set1_epi16(0x80));
  return _mm_or_si128(h, _mm_and_si128(carry, _mm_set1_epi16(0x4000)));
}
// Times 2^-8.
template <bool kTail>
inline void split_e4m3(const void* p, int, Vec (&x)[2]) {
  const __m128i w = load_bytes<kTail>(p);
  x[0] = _mm256_cvtph_ps(half_of_e4m3(_mm_slli_epi16(w, 8)));
  x[1] = _mm256_cvtph_ps(half_of_e4m3(w));
}
/// The even lanes of a register pair, and the odd ones.
inline void unzip(Vec a, Vec b, Vec (&x)[2]) {
  const __m256d even = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0x88));
  const __m256d odd = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0xdd));
  x[0] = _mm256_castpd_ps(_mm256_permute4x64_pd(even, 0xd8));
  x[1] = _mm256_castpd_ps(_mm256_permute4x64_pd(odd, 0xd8));
}
/// Even and odd elements side by side again.
inline void join(Vec even, Vec odd, Vec (&x)[2]) {
  const Vec low = _mm256_unpacklo_ps(even, odd), high = _mm256_unpackhi_ps(even, odd);
  x[0] = _mm256_permute2f128_ps(low, high, 0x20);
  x[1] = _mm256_permute2f128_ps(low, high, 0x31);
}

// Round to nearest even; NaN stays NaN.
inline void narrow_bf16(void* p, Vec x, int) {
  const __m256i u = _mm256_castps_si256(x);
  const __m256i last = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
  const __m256i up = _mm256_add_epi32(u, _mm256_add_epi32(last, _mm256_set1_epi32(0x7fff)));
  const __m256i quiet = _mm256_or_si256(u, _mm256_set1_epi32(0x400000));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  const __m256i bits = _mm256_srli_epi32(_mm256_blendv_epi8(up, quiet, nan), 16);
  const __m128i narrow =
      _mm_packus_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
  _mm_storeu_si128(static_cast<__m128i*>(p), narrow);
}
inline void narrow_f16(void* p, Vec x, int) {
  const __m128i h = _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  _mm_storeu_si128(static_cast<__m128i*>(p), h);
}

/// The low byte of each word. REQUIRES: the others are 0.
template <class Integers>
inline void narrow_bytes(void* p, Integers x) {
  const __m256i w = bits_as<__m256i>(x);
  const __m128i halves =
      _mm_packus_epi32(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1));
  _mm_storel_epi64(static_cast<__m128i*>(p), _mm_packus_epi16(halves, halves));
}
inline Vec swap_neighbours(Vec a) { return _mm256_permute_ps(a, 0xb1); }

/// Lane i of the result is the sum of the lanes of a[i].
inline Vec sum_each(Vec (&a)[kWidth]) {
  const Vec low = _mm256_hadd_ps(_mm256_hadd_ps(a[0], a[1]), _mm256_hadd_ps(a[2], a[3]));
  const Vec high = _mm256_hadd_ps(_mm256_hadd_ps(a[4], a[5]), _mm256_hadd_ps(a[6], a[7]));
  return _mm256_permute2f128_ps(low, high, 0x20) + _mm256_permute2f128_ps(low, high, 0x31);
}

/// Words [0, n) of 8 rows, transposed: word w of row i goes to to[w * stride + i]. All 8 rows of
/// `to` are written, those from n on with zeros.
inline void transpose_words(const char* const* rows, int64_t offset, int n, uint32_t* to,
                            int64_t stride) {
  Vec a[8], b[8];
  for (int i = 0; i < 8; ++i) a[i] = load_words_first(rows[i] + offset, n);
  for (int i = 0; i < 4; ++i) {
    b[2 * i] = _mm256_unpacklo_ps(a[2 * i], a[2 * i + 1]);
    b[2 * i + 1] = _mm256_unpackhi_ps(a[2 * i], a[2 * i + 1]);
  }
  // a[4q + w]: lane l holds word 4l + w of rows 4q..4q+3.
  for (int q = 0; q < 2; ++q) {
    a[4 * q] = _mm256_shuffle_ps(b[4 * q], b[4 * q + 2], 0x44);
    a[4 * q + 1] = _mm256_shuffle_ps(b[4 * q], b[4 * q + 2], 0xee);
    a[4 * q + 2] = _mm256_shuffle_ps(b[4 * q + 1], b[4 * q + 3], 0x44);
    a[4 * q + 3] = _mm256_shuffle_ps(b[4 * q + 1], b[4 * q + 3], 0xee);
  }
  for (int w = 0; w < 4; ++w) {
    const Vec low = _mm256_permute2f128_ps(a[w], a[4 + w], 0x20);
    const Vec high = _mm256_permute2f128_ps(a[w], a[4 + w], 0x31);
    memcpy(to + w * stride, &low, sizeof(low));
    memcpy(to + (4 + w) * stride, &high, sizeof(high));
  }
}

}  // namespace
}  // namespace weft
