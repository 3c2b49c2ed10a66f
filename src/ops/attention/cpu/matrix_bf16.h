// SPDX-License-Identifier: Apache-2.0
// The bf16 matrix unit: one word is a pair of bf16 that vdpbf16ps multiplies and adds to one f32
// sum. Weights are rounded to bf16; sums, softmax and states are f32.
//
// Two rows of V are zipped into pairs by unpacklo/unpackhi, which work inside 128-bit lanes: of
// each 32 columns, o holds 0-3, 8-11, 16-19, 24-27 and then the others. natural_row undoes it once,
// at the end.
#pragma once

#include "src/cpu/convert.h"
#include "src/ops/attention/cpu/multiply.h"
#include "src/ops/attention/cpu/softmax.h"

namespace weft {
namespace {

struct Bf16Matrix {
  static constexpr DType kNative = DType::bf16;
  static constexpr int kPerWord = 2;             // elements of a word
  static constexpr int kColumnPad = 2 * kWidth;  // columns of o come in multiples of it
  static constexpr int kRowPad = 1;              // rows of a tile likewise
  // Rows that go through dots, softmax and accumulation together: 48 rows of dots and weights are
  // 18 KB, which stay in L1 between the three.
  static constexpr int kChunkRows = 48;
  static constexpr int kFewRows = 8;  // tiles of so few rows skip the packing

  [[gnu::always_inline]] static Vec dot(Vec acc, Vec a, Vec b) {
    return _mm512_dpbf16_ps(acc, (__m512bh)a, (__m512bh)b);
  }

  /// A row of the cache, or of q, in words.
  static void to_words(uint32_t* to, const void* from, DType dtype, int n) {
    const char* p = static_cast<const char*>(from);
    switch (dtype) {
      case DType::bf16:
        memcpy(to, p, static_cast<size_t>(n) * 2);
        return;
      case DType::e4m3:
        return convert(to, n, [=](int i, int m) { return widen_e4m3(p + i, m); });
      default:
        return convert(to, n, [=](int i, int m) { return widen_e5m2(p + i, m); });
    }
  }
  static void from_f32(uint32_t* to, const float* from, int n) {
    convert(to, n, [=](int i, int m) { return load_first(from + i, m); });
  }
  static void store_weights(uint32_t* p, const Vec (&x)[kBlockVecs]) {
    for (int v = 0; v < kBlockVecs; v += 2) {
      store_pairs(p + v * (kWidth / 2), _mm512_cvtne2ps_pbh(x[v + 1], x[v]));
    }
  }

  /// Rows of V zipped in pairs: row k of `v` holds keys 2k and 2k + 1.
  static void pack_v(uint32_t* v, int ld, const char* const* rows, DType, int n) {
    for (int k = 0; k < kBlockKeys / 2; ++k) {
      const char* even = rows[2 * k];
      const char* odd = rows[2 * k + 1];
      uint32_t* to = v + k * ld;
      Vec pair[2];
      int c = 0;
      for (; c + kColumnPad <= n; c += kColumnPad) {
        zip(load_words(even + 2 * c), load_words(odd + 2 * c), pair);
        store_words(to + c, pair[0]);
        store_words(to + c + kWidth, pair[1]);
      }
      if (c == n) continue;
      const int words = (n - c) / 2;
      zip(load_words_first(even + 2 * c, words), load_words_first(odd + 2 * c, words), pair);
      store_words(to + c, pair[0]);
      store_words(to + c + kWidth, pair[1]);
    }
  }
  static void multiply(const Operands& x, int rows, int columns, const PackedWords& b) {
    multiply_packed<Bf16Matrix>(x, rows, columns, b);
  }

  /// V rows where they lie, as B of a product: step k is keys 2k and 2k + 1.
  template <bool kTail>
  struct RowsInPlace {
    const char* const* rows;
    int n;  // columns; kTail: the last registers of a row are part empty
    template <int C>
    [[gnu::always_inline]] void load_vecs(int k, int column, Vec (&b)[C]) const {
      static_assert(C % 2 == 0);
      const char* even = rows[2 * k] + 2 * column;
      const char* odd = rows[2 * k + 1] + 2 * column;
      for (int c = 0; c < C; c += 2) {
        const int words = (n - column - c * kWidth) / 2;
        const int at = 2 * c * kWidth;
        Vec pair[2];
        if (kTail) {
          zip(load_words_first(even + at, words), load_words_first(odd + at, words), pair);
        } else {
          zip(load_words(even + at), load_words(odd + at), pair);
        }
        b[c] = pair[0];
        b[c + 1] = pair[1];
      }
    }
  };

  /// o of one row in natural column order; `room` may hold it.
  static const float* natural_row(const float* o, float* room, int n) {
    const __m512i low = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
    for (int c = 0; c < n; c += kColumnPad) {
      const Vec a = load(o + c), b = load(o + c + kWidth);
      store(room + c, _mm512_permutex2var_ps(a, low, b));
      store(room + c + kWidth, _mm512_permutex2var_ps(a, high, b));
    }
    return room;
  }

 private:
  static void store_pairs(uint32_t* p, __m512bh x) { _mm512_storeu_si512(p, (__m512i)x); }
  static void store_words(uint32_t* p, Vec x) { _mm512_storeu_ps(p, x); }

  [[gnu::always_inline]] static void zip(Vec even, Vec odd, Vec (&pair)[2]) {
    const __m512i a = _mm512_castps_si512(even), b = _mm512_castps_si512(odd);
    pair[0] = _mm512_castsi512_ps(_mm512_unpacklo_epi16(a, b));
    pair[1] = _mm512_castsi512_ps(_mm512_unpackhi_epi16(a, b));
  }

  // Rounds f32 lanes f(i, lanes) to bf16 pairs.
  template <class F>
  static void convert(uint32_t* to, int n, F f) {
    for_each_vec(
        n, [=](int i, int m) { narrow_bf16(reinterpret_cast<char*>(to) + 2 * i, f(i, m), m); });
  }
};

}  // namespace
}  // namespace weft
