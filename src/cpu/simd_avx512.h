// SPDX-License-Identifier: Apache-2.0
// Vec on AVX-512 (F, BW, DQ, VL): 16 lanes. Reached through simd.h, which says the rules.
#pragma once

// GCC 12 warns of its own "undefined" registers (PR 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop

#include <cstdint>
#include <cstring>

namespace weft {
namespace {

using Vec = __m512;
constexpr int kWidth = 16;
// Rows x vectors of a micro-tile: 24 accumulators, 4 operands and a broadcast fit 32 registers.
constexpr int kMicroRows = 6;
constexpr int kMicroVecs = 4;

inline __mmask16 first_lanes(int n) { return static_cast<__mmask16>((1u << n) - 1); }

inline Vec splat(float x) { return _mm512_set1_ps(x); }
inline Vec load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, Vec x) { _mm512_storeu_ps(p, x); }
inline Vec load_first(const float* p, int n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
inline void store_first(float* p, Vec x, int n) { _mm512_mask_storeu_ps(p, first_lanes(n), x); }

// 32-bit words, whatever they hold.
inline Vec load_words(const void* p) { return _mm512_loadu_ps(p); }
inline Vec load_words_first(const void* p, int n) {
  return _mm512_maskz_loadu_ps(first_lanes(n), p);
}
inline void store_words(void* p, Vec x) { _mm512_storeu_ps(p, x); }
inline Vec splat_word(const void* p) {
  int word;
  memcpy(&word, p, sizeof(word));
  return _mm512_castsi512_ps(_mm512_set1_epi32(word));
}

inline Vec mul_add(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
inline Vec max_each(Vec a, Vec b) { return _mm512_max_ps(a, b); }
inline Vec abs_each(Vec a) { return _mm512_abs_ps(a); }
inline bool any_greater(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ) != 0; }
inline float reduce_max(Vec a) { return _mm512_reduce_max_ps(a); }
inline float reduce_add(Vec a) { return _mm512_reduce_add_ps(a); }

/// a where the lane's bit is set, b elsewhere.
inline Vec select(uint32_t bits, Vec a, Vec b) {
  return _mm512_mask_mov_ps(b, static_cast<__mmask16>(bits), a);
}
inline Vec select_less(Vec x, Vec y, Vec a, Vec b) {
  return _mm512_mask_mov_ps(b, _mm512_cmp_ps_mask(x, y, _CMP_LT_OQ), a);
}
/// a with the sign of b. REQUIRES: a >= 0.
inline Vec copy_sign(Vec a, Vec b) { return _mm512_or_ps(a, _mm512_and_ps(b, splat(-0.0f))); }

/// x - floor(x). Infinities give 0.
inline Vec fraction(Vec x) { return _mm512_reduce_ps(x, 0x09); }
/// p * 2^floor(x), also where that is 0 or infinite.
inline Vec scale_by_pow2(Vec p, Vec x) { return _mm512_scalef_ps(p, x); }

inline Vec widen_bf16(const void* p, int n) {
  const __m256i h = _mm256_maskz_loadu_epi16(first_lanes(n), p);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}
inline Vec widen_f16(const void* p, int n) {
  return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_lanes(n), p));
}
inline Vec widen_e5m2(const void* p, int n) {
  const __m256i w = _mm256_cvtepu8_epi16(_mm_maskz_loadu_epi8(first_lanes(n), p));
  return _mm512_cvtph_ps(_mm256_slli_epi16(w, 8));
}
// As f16 with the exponent bias off by 8; subnormals come out right too. 0x7f is NaN.
inline Vec widen_e4m3(const void* p, int n) {
  const __m256i w = _mm256_cvtepu8_epi16(_mm_maskz_loadu_epi8(first_lanes(n), p));
  const __m256i magnitude = _mm256_and_si256(w, _mm256_set1_epi16(0x7f));
  const __m256i sign = _mm256_and_si256(_mm256_slli_epi16(w, 8), _mm256_set1_epi16(-0x8000));
  const __m256i half = _mm256_or_si256(sign, _mm256_slli_epi16(magnitude, 7));
  const __mmask16 nan = _mm256_cmpeq_epi16_mask(magnitude, _mm256_set1_epi16(0x7f));
  return _mm512_mask_mov_ps(_mm512_cvtph_ps(half) * splat(256.0f), nan, splat(__builtin_nanf("")));
}

// 2 * kWidth elements as they lie, the even ones in x[0] and the odd ones in x[1]: a shift and a
// mask, where widening in order pays a shuffle an element. kTail: only the first n exist.
template <bool kTail>
inline void split_bf16(const void* p, int n, Vec (&x)[2]) {
  const __m512i w = _mm512_castps_si512(kTail ? load_words_first(p, n / 2) : load_words(p));
  x[0] = _mm512_castsi512_ps(_mm512_slli_epi32(w, 16));
  x[1] = _mm512_castsi512_ps(_mm512_and_si512(w, _mm512_set1_epi32(-0x10000)));
}
template <bool kTail>
inline __m256i load_bytes(const void* p, int n) {
  if (!kTail) return _mm256_loadu_si256(static_cast<const __m256i*>(p));
  return _mm256_maskz_loadu_epi8((1u << n) - 1, p);
}
template <bool kTail>
inline void split_e5m2(const void* p, int n, Vec (&x)[2]) {
  const __m256i w = load_bytes<kTail>(p, n);
  x[0] = _mm512_cvtph_ps(_mm256_slli_epi16(w, 8));
  x[1] = _mm512_cvtph_ps(_mm256_and_si256(w, _mm256_set1_epi16(-0x100)));
}
// The high byte of each word from e4m3 to f16, whose exponent bias is 8 more: 2^-8 of the value.
// Only 0x7f, which is NaN, carries into bit 14, and becomes a NaN of f16.
inline __m256i half_of_e4m3(__m256i w) {
  const __m256i h = _mm256_and_si256(_mm256_srai_epi16(w, 1), _mm256_set1_epi16(-0x4080));
  const __m256i carry = _mm256_add_epi16(h, _mm256_set1_epi16(0x80));
  return _mm256_or_si256(h, _mm256_and_si256(carry, _mm256_set1_epi16(0x4000)));
}
// Times 2^-8.
template <bool kTail>
inline void split_e4m3(const void* p, int n, Vec (&x)[2]) {
  const __m256i w = load_bytes<kTail>(p, n);
  x[0] = _mm512_cvtph_ps(half_of_e4m3(_mm256_slli_epi16(w, 8)));
  x[1] = _mm512_cvtph_ps(half_of_e4m3(w));
}
/// The even lanes of a register pair, and the odd ones.
inline void unzip(Vec a, Vec b, Vec (&x)[2]) {
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  x[0] = _mm512_permutex2var_ps(a, even, b);
  x[1] = _mm512_permutex2var_ps(a, _mm512_add_epi32(even, _mm512_set1_epi32(1)), b);
}
/// Even and odd elements side by side again.
inline void join(Vec even, Vec odd, Vec (&x)[2]) {
  const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  x[0] = _mm512_permutex2var_ps(even, low, odd);
  x[1] = _mm512_permutex2var_ps(even, _mm512_add_epi32(low, _mm512_set1_epi32(8)), odd);
}

// Round to nearest even; NaN stays NaN.
inline void narrow_bf16(void* p, Vec x, int n) {
  const __m512i u = _mm512_castps_si512(x);
  const __m512i last = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
  const __m512i up = _mm512_add_epi32(u, _mm512_add_epi32(last, _mm512_set1_epi32(0x7fff)));
  const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  const __m512i quiet = _mm512_or_si512(u, _mm512_set1_epi32(0x400000));
  const __m512i bits = _mm512_srli_epi32(_mm512_mask_mov_epi32(up, nan, quiet), 16);
  _mm256_mask_storeu_epi16(p, first_lanes(n), _mm512_cvtepi32_epi16(bits));
}
inline void narrow_f16(void* p, Vec x, int n) {
  const __m256i h = _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  _mm256_mask_storeu_epi16(p, first_lanes(n), h);
}

/// The low byte of each word. REQUIRES: the others are 0.
template <class Integers>
inline void narrow_bytes(void* p, Integers x) {
  _mm_storeu_si128(static_cast<__m128i*>(p), _mm512_cvtepi32_epi8(bits_as<__m512i>(x)));
}
inline Vec swap_neighbours(Vec a) { return _mm512_permute_ps(a, 0xb1); }

/// Lane i of the result is the sum of the lanes of a[i].
inline Vec sum_each(Vec (&a)[kWidth]) {
  Vec b[8], c[4];
  for (int i = 0; i < 8; ++i) {
    b[i] = _mm512_unpacklo_ps(a[2 * i], a[2 * i + 1]) + _mm512_unpackhi_ps(a[2 * i], a[2 * i + 1]);
  }
  for (int i = 0; i < 4; ++i) {
    const __m512d x = _mm512_castps_pd(b[2 * i]), y = _mm512_castps_pd(b[2 * i + 1]);
    c[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(x, y)) + _mm512_castpd_ps(_mm512_unpackhi_pd(x, y));
  }
  const Vec low = _mm512_shuffle_f32x4(c[0], c[1], 0x88) + _mm512_shuffle_f32x4(c[0], c[1], 0xdd);
  const Vec high = _mm512_shuffle_f32x4(c[2], c[3], 0x88) + _mm512_shuffle_f32x4(c[2], c[3], 0xdd);
  return _mm512_shuffle_f32x4(low, high, 0x88) + _mm512_shuffle_f32x4(low, high, 0xdd);
}

/// Words [0, n) of 16 rows, transposed: word w of row i goes to to[w * stride + i]. All 16 rows of
/// `to` are written, those from n on with zeros.
inline void transpose_words(const char* const* rows, int64_t offset, int n, uint32_t* to,
                            int64_t stride) {
  __m512i a[16], b[16];
  const __mmask16 mask = first_lanes(n);
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) a[i] = _mm512_maskz_loadu_epi32(mask, rows[i] + offset);
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    b[2 * i] = _mm512_unpacklo_epi32(a[2 * i], a[2 * i + 1]);
    b[2 * i + 1] = _mm512_unpackhi_epi32(a[2 * i], a[2 * i + 1]);
  }
  // a[4q + w]: lane l holds word 4l + w of rows 4q..4q+3.
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {
    a[4 * q] = _mm512_unpacklo_epi64(b[4 * q], b[4 * q + 2]);
    a[4 * q + 1] = _mm512_unpackhi_epi64(b[4 * q], b[4 * q + 2]);
    a[4 * q + 2] = _mm512_unpacklo_epi64(b[4 * q + 1], b[4 * q + 3]);
    a[4 * q + 3] = _mm512_unpackhi_epi64(b[4 * q + 1], b[4 * q + 3]);
  }
  // Transpose the 4 x 4 lanes of each w.
#pragma GCC unroll 4
  for (int w = 0; w < 4; ++w) {
    const __m512i even_low = _mm512_shuffle_i32x4(a[w], a[4 + w], 0x88);
    const __m512i odd_low = _mm512_shuffle_i32x4(a[w], a[4 + w], 0xdd);
    const __m512i even_high = _mm512_shuffle_i32x4(a[8 + w], a[12 + w], 0x88);
    const __m512i odd_high = _mm512_shuffle_i32x4(a[8 + w], a[12 + w], 0xdd);
    uint32_t* row = to + w * stride;
    _mm512_storeu_si512(row, _mm512_shuffle_i32x4(even_low, even_high, 0x88));
    _mm512_storeu_si512(row + 4 * stride, _mm512_shuffle_i32x4(odd_low, odd_high, 0x88));
    _mm512_storeu_si512(row + 8 * stride, _mm512_shuffle_i32x4(even_low, even_high, 0xdd));
    _mm512_storeu_si512(row + 12 * stride, _mm512_shuffle_i32x4(odd_low, odd_high, 0xdd));
  }
}

}  // namespace
}  // namespace weft
