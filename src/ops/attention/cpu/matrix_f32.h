// SPDX-License-Identifier: Apache-2.0
// The f32 matrix unit: one word is one f32, products by FMA. For every pair of dtypes that bf16
// would round, and for targets without a fast bf16 unit.
#pragma once

#include "src/cpu/convert.h"
#include "src/cpu/pairs.h"
#include "src/ops/attention/cpu/multiply.h"
#include "src/ops/attention/cpu/softmax.h"

namespace weft {
namespace {

struct F32Matrix {
  using Few = F32Matrix;  // computes tiles of at most kFewRows
  static constexpr DType kNative = DType::f32;
  static constexpr int kPerWord = 1;         // elements of a word
  static constexpr int kColumnPad = kWidth;  // columns of o come in multiples of it
  // Rows that go through dots, softmax and accumulation together: 48 rows of dots and weights are
  // 18 KB, which stay in L1 between the three.
  static constexpr int kChunkRows = 48;
  static constexpr int kFewRows = 8;        // tiles of so few rows skip the packing
  static constexpr int kPackedQueries = 0;  // tiles of so few rows pack queries instead of keys

  /// Rows of such keys or values must become kNative before they are used.
  static bool stages(DType dtype, bool keys, bool few) {
    return keys && !few && dtype != DType::f32 && dtype != DType::bf16;
  }
  /// Rows of few_rows.h keep the order of such elements (pairs.h).
  static bool in_pairs(DType dtype) { return is_paired(dtype); }

  [[gnu::always_inline]] static Vec dot(Vec acc, Vec a, Vec b) { return mul_add(a, b, acc); }

  /// A row of the cache, or of q, in words.
  static void to_words(uint32_t* to, const void* from, DType dtype, int n) {
    widen_row(reinterpret_cast<float*>(to), from, dtype, n);
  }
  static void from_f32(uint32_t* to, const float* from, int n) {
    memcpy(to, from, static_cast<size_t>(n) * sizeof(float));
  }
  static void store_weights(uint32_t* p, const Vec (&x)[kBlockVecs]) {
    for (int v = 0; v < kBlockVecs; ++v) store(reinterpret_cast<float*>(p) + v * kWidth, x[v]);
  }

  /// Elements [first, first + kPair) of kWidth keys, of which `left` exist: element d of key j goes
  /// to k[d * kBlockKeys + j]. A bf16 pair is transposed as one word.
  static void pack_keys(uint32_t* k, const char* const* rows, DType dtype, int first, int left) {
    uint32_t* to = k + first * kBlockKeys;
    if (dtype == DType::bf16) {
      uint32_t words[kWidth * kWidth];
      const int n = min_of(left / 2, kWidth);
      transpose_words(rows, int64_t{first} * 2, n, words, kWidth);
      for (int w = 0; w < n; ++w) {
        Vec x[2];
        split_bf16<false>(words + w * kWidth, kPair, x);
        store_words(to + (2 * w) * kBlockKeys, x[0]);
        store_words(to + (2 * w + 1) * kBlockKeys, x[1]);
      }
      return;
    }
    for (int d = 0; d < min_of(left, kPair); d += kWidth) {
      transpose_words(rows, int64_t{first + d} * 4, min_of(left - d, kWidth), to + d * kBlockKeys,
                      kBlockKeys);
    }
  }
  /// Values of keys `key` and `key + 1`: row j of `v` holds key j.
  static void pack_values(uint32_t* v, int ld, const char* const* rows, int key, DType dtype,
                          int n) {
    to_words(v + key * ld, rows[key], dtype, n);
    to_words(v + (key + 1) * ld, rows[key + 1], dtype, n);
  }
  static void multiply(const Operands& x, int rows, int columns, const PackedWords& b) {
    multiply_packed<F32Matrix>(x, rows, columns, b);
  }

  /// Calls f with `dtype` as a type: what few_rows.h is compiled for.
  template <class F>
  static void with_dtype(DType dtype, F f) {
    switch (dtype) {
      case DType::f16:
        return f(DTypeOf<DType::f16>{});
      case DType::bf16:
        return f(DTypeOf<DType::bf16>{});
      case DType::e4m3:
        return f(DTypeOf<DType::e4m3>{});
      case DType::e5m2:
        return f(DTypeOf<DType::e5m2>{});
      default:
        return f(DTypeOf<DType::f32>{});
    }
  }
  template <DType dtype, bool kTail>
  [[gnu::always_inline]] static void load_chunk(const char* p, int n, Vec (&b)[2]) {
    load_pair<dtype, kTail>(p, n, b);
  }
  /// A pair of columns, `offset` bytes into the one row of V that a word of weights stands for.
  template <DType dtype, bool kTail>
  [[gnu::always_inline]] static void load_values(const char* const* rows, int64_t offset, int n,
                                                 Vec (&b)[2]) {
    load_pair<dtype, kTail>(rows[0] + offset, n, b);
  }

  /// o of one row in natural column order; `room` may hold it. `in_place`: of the values of a tile
  /// that few_rows.h computed, else none.
  static const float* natural_row(const float* o, float* room, int n, DType in_place) {
    if (!is_paired(in_place)) return o;
    unpair_row(room, o, pair_factor(in_place), n);
    return room;
  }
};

}  // namespace
}  // namespace weft
