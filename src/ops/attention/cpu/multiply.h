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
  // By row, ascending, null = all: how many columns of C, or steps, are wanted. The others of C are
  // left as they are, and the others of A are not read.
  const uint8_t* columns_wanted = nullptr;
  const uint8_t* steps_wanted = nullptr;

  int columns_of(int row, int columns) const {
    return columns_wanted == nullptr ? columns : columns_wanted[row];
  }
  int steps_of(int row) const { return steps_wanted == nullptr ? steps : steps_wanted[row]; }
};

// R rows by C registers, all accumulators in registers.
template <class M, int R, int C, class BSource>
[[gnu::always_inline]] inline void micro_tile(const Operands& x, int row, int column, int steps,
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
  for (int k = 0; k < steps; ++k) {
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

// `rows` rows of a strip: 1..kMost.
template <class M, int kMost, int C, class BSource>
inline void micro_rows(const Operands& x, int row, int rows, int column, int steps,
                       const BSource& source) {
  if (rows == kMost) return micro_tile<M, kMost, C>(x, row, column, steps, source);
  if constexpr (kMost > 1) micro_rows<M, kMost - 1, C>(x, row, rows, column, steps, source);
}

template <class M, int C>
[[gnu::noinline]] void multiply_rows(const Operands& x, int row, int rows, int column, int steps,
                                     const PackedWords& b) {
  micro_rows<M, kMicroRows, C>(x, row, rows, column, steps, b);
}

// A strip of C registers, of which each group of rows wants so many.
template <class M, int C>
void multiply_strip(const Operands& x, int rows, int column, const PackedWords& b) {
  for (int row = 0; row < rows; row += kMicroRows) {
    const int n = min_of(rows - row, kMicroRows);
    const int last = row + n - 1, steps = x.steps_of(last);
    const int left = x.columns_of(last, column + C * kWidth) - column;
    if (left <= 0) continue;
    if constexpr (C == 4) {
      if (left <= kWidth) {
        multiply_rows<M, 1>(x, row, n, column, steps, b);
        continue;
      }
      if (left <= 2 * kWidth) {
        multiply_rows<M, 2>(x, row, n, column, steps, b);
        continue;
      }
      if (left <= 3 * kWidth) {
        multiply_rows<M, 3>(x, row, n, column, steps, b);
        continue;
      }
    }
    multiply_rows<M, C>(x, row, n, column, steps, b);
  }
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
