// SPDX-License-Identifier: Apache-2.0
// The f32 matrix unit: one word is one f32, products by FMA. For every pair of dtypes that bf16
// would round, and for targets without a fast bf16 unit.
#pragma once

#include "src/cpu/convert.h"
#include "src/ops/attention/cpu/multiply.h"
#include "src/ops/attention/cpu/softmax.h"

namespace weft {
namespace {

struct F32Matrix {
  static constexpr DType kNative = DType::f32;
  static constexpr int kPerWord = 1;         // elements of a word
  static constexpr int kColumnPad = kWidth;  // columns of o come in multiples of it
  static constexpr int kRowPad = 1;          // rows of a tile likewise
  // Rows that go through dots, softmax and accumulation together: 48 rows of dots and weights are
  // 18 KB, which stay in L1 between the three.
  static constexpr int kChunkRows = 48;
  static constexpr int kFewRows = 4;  // tiles of so few rows skip the packing

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

  /// V rows side by side: row j of `v` holds key j.
  static void pack_v(uint32_t* v, int ld, const char* const* rows, DType dtype, int n) {
    for (int j = 0; j < kBlockKeys; ++j) to_words(v + j * ld, rows[j], dtype, n);
  }
  static void multiply(const Operands& x, int rows, int columns, const PackedWords& b) {
    multiply_packed<F32Matrix>(x, rows, columns, b);
  }

  /// V rows where they lie, as B of a product: step k is key k.
  template <bool kTail>
  struct RowsInPlace {
    const char* const* rows;
    int n;  // columns; kTail: the last register of a row is part empty
    template <int C>
    [[gnu::always_inline]] void load_vecs(int k, int column, Vec (&b)[C]) const {
      const char* row = rows[k] + 4 * column;
      for (int c = 0; c < C; ++c) {
        const char* at = row + 4 * c * kWidth;
        b[c] = kTail ? load_words_first(at, n - column - c * kWidth) : load_words(at);
      }
    }
  };

  /// o of one row in natural column order; `room` may hold it.
  static const float* natural_row(const float* o, float*, int) { return o; }
};

}  // namespace
}  // namespace weft
