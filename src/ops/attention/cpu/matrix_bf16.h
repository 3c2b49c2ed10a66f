// SPDX-License-Identifier: Apache-2.0
// The bf16 matrix unit: one word is a pair of bf16 that vdpbf16ps multiplies and adds to one f32
// sum. Weights are rounded to bf16; sums, softmax and states are f32.
//
// Two rows of V are zipped into pairs by unpacklo/unpackhi, which work inside 128-bit lanes: of
// each 32 columns, o holds 0-3, 8-11, 16-19, 24-27 and then the others. natural_row undoes it once,
// at the end.
#pragma once

#include "src/cpu/convert.h"
#include "src/cpu/pairs.h"
#include "src/ops/attention/cpu/multiply.h"
#include "src/ops/attention/cpu/softmax.h"

namespace weft {
namespace {

template <bool kValue>
struct Flag {
  static constexpr bool value = kValue;
};

struct Bf16Matrix {
  using Few = Bf16Matrix;  // computes tiles of at most kFewRows
  static constexpr DType kNative = DType::bf16;
  static constexpr int kPerWord = 2;             // elements of a word
  static constexpr int kColumnPad = 2 * kWidth;  // columns of o come in multiples of it
  // Rows that go through dots, softmax and accumulation together: 48 rows of dots and weights are
  // 18 KB, which stay in L1 between the three.
  static constexpr int kChunkRows = 48;
  static constexpr int kFewRows = 8;        // tiles of so few rows skip the packing
  static constexpr int kPackedQueries = 0;  // tiles of so few rows pack queries instead of keys

  /// Rows of such keys or values must become kNative before they are used.
  static bool stages(DType dtype, bool, bool) { return dtype != DType::bf16; }
  /// Rows of few_rows.h keep the order of such elements (pairs.h).
  static bool in_pairs(DType) { return false; }

  [[gnu::always_inline]] static Vec dot(Vec acc, Vec a, Vec b) {
    return _mm512_dpbf16_ps(acc, (__m512bh)a, (__m512bh)b);
  }

  /// A row of the cache, or of q, in words. FP8 is exact in bf16.
  static void to_words(uint32_t* to, const void* from, DType dtype, int n) {
    if (dtype == DType::bf16) {
      memcpy(to, from, static_cast<size_t>(n) * 2);
    } else if (dtype == DType::e4m3) {
      widen_fp8<DType::e4m3>(to, static_cast<const char*>(from), n);
    } else {
      widen_fp8<DType::e5m2>(to, static_cast<const char*>(from), n);
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

  /// Elements [first, first + kPair) of kWidth keys, of which `left` exist: word w of key j goes to
  /// k[w * kBlockKeys + j].
  static void pack_keys(uint32_t* k, const char* const* rows, DType, int first, int left) {
    transpose_words(rows, int64_t{first} * 2, min_of(left / 2, kWidth), k + first / 2 * kBlockKeys,
                    kBlockKeys);
  }
  /// Values of keys `key` and `key + 1`, zipped: row k of `v` holds keys 2k and 2k + 1.
  static void pack_values(uint32_t* v, int ld, const char* const* rows, int key, DType, int n) {
    uint32_t* to = v + key / 2 * ld;
    const auto put = [&](int c, auto tail) {
      Vec pair[2];
      load_values<DType::bf16, tail.value>(rows + key, int64_t{c} * 2, n - c, pair);
      store_words(to + c, pair[0]);
      store_words(to + c + kWidth, pair[1]);
    };
    int c = 0;
    for (; c + kPair <= n; c += kPair) put(c, Flag<false>{});
    if (c < n) put(c, Flag<true>{});
  }
  static void multiply(const Operands& x, int rows, int columns, const PackedWords& b) {
    multiply_packed<Bf16Matrix>(x, rows, columns, b);
  }

  /// Calls f with the dtype of staged rows as a type: what few_rows.h is compiled for.
  template <class F>
  static void with_dtype(DType, F f) {
    f(DTypeOf<DType::bf16>{});
  }
  template <DType, bool kTail>
  [[gnu::always_inline]] static void load_chunk(const char* p, int n, Vec (&b)[1]) {
    b[0] = kTail ? load_words_first(p, n / 2) : load_words(p);
  }
  /// A pair of columns, `offset` bytes into the two rows of V that a word of weights stands for.
  template <DType, bool kTail>
  [[gnu::always_inline]] static void load_values(const char* const* rows, int64_t offset, int n,
                                                 Vec (&b)[2]) {
    Vec even[1], odd[1];
    load_chunk<DType::bf16, kTail>(rows[0] + offset, n, even);
    load_chunk<DType::bf16, kTail>(rows[1] + offset, n, odd);
    zip(even[0], odd[0], b);
  }

  /// o of one row in natural column order; `room` may hold it.
  static const float* natural_row(const float* o, float* room, int n, DType) {
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

  [[gnu::always_inline]] static void zip(Vec even, Vec odd, Vec (&pair)[2]) {
    const __m512i a = _mm512_castps_si512(even), b = _mm512_castps_si512(odd);
    pair[0] = _mm512_castsi512_ps(_mm512_unpacklo_epi16(a, b));
    pair[1] = _mm512_castsi512_ps(_mm512_unpackhi_epi16(a, b));
  }

  // The upper half of an f32 is its bf16; of two elements, the even one is the lower half.
  template <DType dtype>
  static void widen_fp8(uint32_t* to, const char* from, int n) {
    const Vec factor = splat(pair_factor(dtype));
    for (int i = 0; i < n; i += kPair) {
      Vec x[2];
      if (i + kPair <= n) {
        load_pair<dtype, false>(from + i, n - i, x);
      } else {
        load_pair<dtype, true>(from + i, n - i, x);
      }
      const __m512i even = _mm512_srli_epi32(_mm512_castps_si512(x[0] * factor), 16);
      const __m512i odd = _mm512_castps_si512(x[1] * factor);
      _mm512_storeu_si512(to + i / 2, _mm512_or_si512(even, odd));
    }
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
