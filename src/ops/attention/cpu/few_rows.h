// SPDX-License-Identifier: Apache-2.0
// Products for tiles of a few rows (decode): keys and values are used where they lie, once, without
// packing. Packing a key costs as much as six to eight rows' products with it.
#pragma once

#include "src/ops/attention/cpu/multiply.h"

namespace weft {
namespace {

/// s[row][key] = q[row] . k[key] for a block of keys. q is padded with zeros to whole registers;
/// `words`: of a key row.
template <class M>
void dot_rows(const uint32_t* q, int64_t ldq, int rows, const char* const* keys, int words,
              float* s) {
  for (int key = 0; key < kBlockKeys; key += kWidth) {
    for (int r = 0; r < rows; ++r) {
      Vec acc[kWidth];
#pragma GCC unroll 16
      for (int i = 0; i < kWidth; ++i) acc[i] = splat(0.0f);
      int w = 0;
      for (; w + kWidth <= words; w += kWidth) {
        const Vec x = load_words(q + r * ldq + w);
#pragma GCC unroll 16
        for (int i = 0; i < kWidth; ++i) {
          acc[i] = M::dot(acc[i], x, load_words(keys[key + i] + 4 * w));
        }
      }
      if (w < words) {
        const Vec x = load_words(q + r * ldq + w);
#pragma GCC unroll 16
        for (int i = 0; i < kWidth; ++i) {
          acc[i] = M::dot(acc[i], x, load_words_first(keys[key + i] + 4 * w, words - w));
        }
      }
      store(s + r * kBlockKeys + key, sum_each(acc));
    }
  }
}

// One strip of C registers; `rows` is 1..8.
template <class M, int C, class Source>
inline void few_rows_strip(const Operands& x, int rows, int column, const Source& v) {
  if (rows <= kMicroRows) {
    if (rows == kMicroRows) return micro_tile<M, kMicroRows, C>(x, 0, column, v);
    return last_rows<M, C>(x, 0, rows, column, v);
  }
  if (rows == 7) return micro_tile<M, 7, C>(x, 0, column, v);
  return micro_tile<M, 8, C>(x, 0, column, v);
}

/// o += p v over a block. `n`: columns of v; o has whole pads of them.
template <class M>
void add_rows(const Operands& x, int rows, int n, const char* const* values) {
  constexpr int kPad = M::kColumnPad, kVecs = kPad / kWidth;
  const typename M::template RowsInPlace<false> full{values, n};
  int column = 0;
  // Few rows leave registers for a wide strip, many keep a narrow one: 16 sums or so.
  if constexpr (kMicroVecs % kVecs == 0 && kMicroVecs > kVecs) {
    for (; rows <= 4 && column + kMicroVecs * kWidth <= n; column += kMicroVecs * kWidth) {
      few_rows_strip<M, kMicroVecs>(x, rows, column, full);
    }
  }
  for (; column + kPad <= n; column += kPad) few_rows_strip<M, kVecs>(x, rows, column, full);
  if (column < n) {
    const typename M::template RowsInPlace<true> tail{values, n};
    few_rows_strip<M, kVecs>(x, rows, column, tail);
  }
}

}  // namespace
}  // namespace weft
