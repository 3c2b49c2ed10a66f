// SPDX-License-Identifier: Apache-2.0
// Products for tiles of a few rows (decode): keys and values are used where they lie, once, without
// packing, and each element of the cache is widened once for up to kPassRows rows. Packing a key
// costs as much as six to eight rows' products with it.
//
// These loops are bound by memory: with each chunk of a row they ask for the same chunk of the row
// a block later.
#pragma once

#include "src/cpu/pairs.h"
#include "src/ops/attention/cpu/multiply.h"

namespace weft {
namespace {

/// Rows of a block where they lie, n elements each, and those of the next block (the same when
/// there is none, or when they have been asked for already).
struct RowsInPlace {
  const char* const* rows;
  const char* const* ahead;
  int n;
};

// Into L2: into L1 it was slower than not asking at all.
template <int kBytes>
[[gnu::always_inline]] inline void ask_for(const char* p) {
  for (int i = 0; i < kBytes; i += 64) __builtin_prefetch(p + i, 0, 2);
}

// Sixteen registers hold the sums of two rows of q with kWidth / 2 keys, thirty-two those of four.
constexpr int kDotRows = kMicroVecs == 4 ? 4 : 2;
// Of an accumulation, a pair of registers wide.
constexpr int kPassRows = kMicroVecs == 4 ? 8 : 4;

template <class M, DType dtype, int R, bool kTail>
[[gnu::always_inline]] inline void dot_chunk(const uint32_t* q, int64_t ldq,
                                             const RowsInPlace& keys, int i, Vec (&acc)[kWidth]) {
  constexpr int kKeys = kWidth / R, kVecs = 2 / M::kPerWord, kSize = size_of(dtype);
  Vec a[R][kVecs];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) {
      a[r][v] = load_words(q + r * ldq + i / M::kPerWord + v * kWidth);
    }
  }
#pragma GCC unroll 16
  for (int j = 0; j < kKeys; ++j) {
    Vec b[kVecs];
    M::template load_chunk<dtype, kTail>(keys.rows[j] + i * kSize, keys.n - i, b);
    ask_for<kPair * kSize>(keys.ahead[j] + i * kSize);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kVecs; ++v) {
        acc[r * kKeys + j] = M::dot(acc[r * kKeys + j], a[r][v], b[v]);
      }
    }
  }
}

// Dots of R rows of q with kWidth / R keys: as many sums as a register has lanes, so that adding
// up their lanes wastes none.
template <class M, DType dtype, int R>
[[gnu::noinline]] void dot_group(const uint32_t* q, int64_t ldq, const RowsInPlace& keys,
                                 float* s) {
  constexpr int kKeys = kWidth / R;
  Vec acc[kWidth];
#pragma GCC unroll 16
  for (int i = 0; i < kWidth; ++i) acc[i] = splat(0.0f);
  int i = 0;
  for (; i + kPair <= keys.n; i += kPair) {
    dot_chunk<M, dtype, R, false>(q, ldq, keys, i, acc);
  }
  if (i < keys.n) dot_chunk<M, dtype, R, true>(q, ldq, keys, i, acc);
  float sums[kWidth];
  store(sums, sum_each(acc));
  for (int r = 0; r < R; ++r) {
    memcpy(s + r * kBlockKeys, sums + r * kKeys, kKeys * sizeof(float));
  }
}

// kWidth keys with R rows of q.
template <class M, DType dtype, int R>
inline void dot_pass(const uint32_t* q, int64_t ldq, const RowsInPlace& keys, float* s) {
  for (int j = 0; j < kWidth; j += kWidth / R) {
    dot_group<M, dtype, R>(q, ldq, {keys.rows + j, keys.ahead + j, keys.n}, s + j);
  }
}

/// s[row][key] = q[row] . k[key] for the first `count` keys of a block. q is in the order of
/// M::load_chunk, padded with zeros to whole pairs.
template <class M, DType dtype>
void dot_rows(const uint32_t* q, int64_t ldq, int rows, const RowsInPlace& keys, int count,
              float* s) {
  for (int key = 0; key < count; key += kWidth) {
    RowsInPlace group{keys.rows + key, keys.ahead + key, keys.n};
    for (int r = 0; r < rows;) {
      const uint32_t* from = q + r * ldq;
      float* to = s + r * kBlockKeys + key;
      if (kDotRows == 4 && rows - r >= 4) {
        dot_pass<M, dtype, kDotRows>(from, ldq, group, to);
        r += 4;
      } else if (rows - r >= 2) {
        dot_pass<M, dtype, 2>(from, ldq, group, to);
        r += 2;
      } else {
        dot_pass<M, dtype, 1>(from, ldq, group, to);
        r += 1;
      }
      group.ahead = group.rows;
    }
  }
}

/// V rows where they lie, as B of a product: a step is one word of weights.
template <class M, DType dtype, bool kTail>
struct ValuesInPlace {
  RowsInPlace values;  // kTail: the last pair of a row is part empty
  int log2_pairs;      // of a row; -1 when that is no whole number

  // What to ask for beside pair `pair` of key `key`. Pairs of columns are passes over all keys: row
  // by row is how memory lies, and worth up to a tenth of the time at eight rows.
  const char* ahead_of(int key, int pair) const {
    constexpr int kBytes = kPair * size_of(dtype);
    if (log2_pairs < 0) return values.ahead[key] + pair * kBytes;
    const int turn = pair * kBlockKeys + key;
    return values.ahead[turn >> log2_pairs] + (turn & ((1 << log2_pairs) - 1)) * kBytes;
  }

  template <int C>
  [[gnu::always_inline]] void load_vecs(int step, int column, Vec (&b)[C]) const {
    constexpr int kSize = size_of(dtype);
    static_assert(C % 2 == 0);
    const int key = step * M::kPerWord;
#pragma GCC unroll 4
    for (int c = 0; c < C; c += 2) {
      const int first = column + c * kWidth;
      Vec pair[2];
      M::template load_values<dtype, kTail>(values.rows + key, first * kSize, values.n - first,
                                            pair);
      b[c] = pair[0];
      b[c + 1] = pair[1];
      for (int j = 0; j < M::kPerWord; ++j) {
        ask_for<kPair * kSize>(ahead_of(key + j, first / kPair));
      }
    }
  }
};

template <class M, DType dtype>
void add_pass(const Operands& x, int rows, const RowsInPlace& values) {
  const int n = values.n, pairs = n / kPair;
  const bool whole = pairs * kPair == n && (pairs & (pairs - 1)) == 0;
  const ValuesInPlace<M, dtype, false> full{values, whole ? __builtin_ctz(pairs) : -1};
  int column = 0;
  // Few rows leave registers for a wide strip: 16 sums or so.
  if constexpr (kMicroVecs == 4) {
    for (; rows <= 2 && column + 4 * kPair <= n; column += 4 * kPair) {
      micro_rows<M, 2, 8>(x, 0, rows, column, x.steps, full);
    }
    for (; rows <= 4 && column + 2 * kPair <= n; column += 2 * kPair) {
      micro_rows<M, 4, 4>(x, 0, rows, column, x.steps, full);
    }
  }
  for (; column + kPair <= n; column += kPair) {
    micro_rows<M, kPassRows, 2>(x, 0, rows, column, x.steps, full);
  }
  if (column < n) {
    const ValuesInPlace<M, dtype, true> tail{values, -1};
    micro_rows<M, kPassRows, 2>(x, 0, rows, column, x.steps, tail);
  }
}

/// o += p v over the first x.steps words of weights of a block. o has whole pairs of columns, in
/// the order of M::load_values.
template <class M, DType dtype>
void add_rows(const Operands& x, int rows, RowsInPlace values) {
  for (int r = 0; r < rows; r += kPassRows) {
    Operands pass = x;
    pass.a += r * x.lda;
    pass.c += r * x.ldc;
    add_pass<M, dtype>(pass, min_of(rows - r, kPassRows), values);
    values.ahead = values.rows;
  }
}

}  // namespace
}  // namespace weft
