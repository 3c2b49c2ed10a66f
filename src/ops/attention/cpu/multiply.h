// SPDX-License-Identifier: Apache-2.0
// C += A B on registers, in 32-bit words: a word is one f32, or a pair of bf16 that share a sum.
// A is read word by word (broadcast), B a register at a time from a BSource, C is f32. What a
// matrix unit M fixes: M::dot(acc, a, b) and how two rows of V become words.
#pragma once

#include "src/cpu/simd.h"
#include "src/ops/attention/cpu/tile.h"

namespace weft {
namespace {

/// B packed: step k, column c at words[k * ld + c].
struct PackedWords {
  const uint32_t* words;
  int64_t ld;
  template <int C>
  [[gnu::always_inline]] void load_vecs(int k, int column, Vec (&b)[C]) const {
    for (int c = 0; c < C; ++c) b[c] = load_words(words + k * ld + column + c * kWidth);
  }
};

/// A and C of a product: `steps` words of A a row; strides in words.
struct Operands {
  const uint32_t* a;
  int64_t lda;
  float* c;
  int64_t ldc;
  int steps;
  bool accumulate;  // false: C holds nothing yet
};

// R rows by C registers, all accumulators in registers.
template <class M, int R, int C, class BSource>
[[gnu::always_inline]] inline void micro_tile(const Operands& x, int row, int column,
                                              const BSource& source) {
  Vec acc[R][C];
  const uint32_t* a = x.a + row * x.lda;
  float* to = x.c + row * x.ldc + column;
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      acc[r][c] = x.accumulate ? load(to + r * x.ldc + c * kWidth) : splat(0.0f);
    }
  }
  for (int k = 0; k < x.steps; ++k) {
    Vec b[C];
    source.load_vecs(k, column, b);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Vec broadcast = splat_word(a + r * x.lda + k);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) acc[r][c] = M::dot(acc[r][c], broadcast, b[c]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) store(to + r * x.ldc + c * kWidth, acc[r][c]);
  }
}

// The last 1..5 rows of a strip.
template <class M, int C, class BSource>
inline void last_rows(const Operands& x, int row, int rows, int column, const BSource& source) {
  static_assert(kMicroRows == 6);
  switch (rows) {
    case 1:
      return micro_tile<M, 1, C>(x, row, column, source);
    case 2:
      return micro_tile<M, 2, C>(x, row, column, source);
    case 3:
      return micro_tile<M, 3, C>(x, row, column, source);
    case 4:
      return micro_tile<M, 4, C>(x, row, column, source);
    case 5:
      return micro_tile<M, 5, C>(x, row, column, source);
    default:
      return;
  }
}

template <class M, int C>
[[gnu::noinline]] void multiply_strip(const Operands& x, int rows, int column,
                                      const PackedWords& b) {
  int row = 0;
  for (; row + kMicroRows <= rows; row += kMicroRows) {
    micro_tile<M, kMicroRows, C>(x, row, column, b);
  }
  last_rows<M, C>(x, row, rows - row, column, b);
}

/// All rows by `columns` columns, a multiple of kWidth.
template <class M>
void multiply_packed(const Operands& x, int rows, int columns, const PackedWords& b) {
  int column = 0;
  for (; column + kMicroVecs * kWidth <= columns; column += kMicroVecs * kWidth) {
    multiply_strip<M, kMicroVecs>(x, rows, column, b);
  }
  if constexpr (kMicroVecs > 2) {
    for (; column + 2 * kWidth <= columns; column += 2 * kWidth) {
      multiply_strip<M, 2>(x, rows, column, b);
    }
  }
  for (; column < columns; column += kWidth) multiply_strip<M, 1>(x, rows, column, b);
}

}  // namespace
}  // namespace weft
