// SPDX-License-Identifier: Apache-2.0
// Elements of a row as f32, two registers at a time, in the order that costs least: where a word
// holds two elements or more, the even ones apart from the odd ones ("paired order"), else as they
// lie. Who sums over a row need not care; who keeps a row calls unpair once. Per-ISA units only.
#pragma once

#include "kernels/core/dtype.h"
#include "src/cpu/simd.h"

namespace weft {
namespace {

constexpr int kPair = 2 * kWidth;

/// A dtype as a type, for code that is compiled for each.
template <DType dtype>
struct DTypeOf {
  static constexpr DType value = dtype;
};

constexpr bool is_paired(DType dtype) { return dtype == DType::bf16 || is_fp8(dtype); }

/// What load_pair's values must be multiplied by: e4m3 becomes f32 with its exponent off by 8.
constexpr float pair_factor(DType dtype) { return dtype == DType::e4m3 ? 256.0f : 1.0f; }

/// kPair elements at `p`. kTail: only the first n, a multiple of 8, exist; the others are zero.
template <DType dtype, bool kTail>
[[gnu::always_inline]] inline void load_pair(const char* p, int n, Vec (&x)[2]) {
  if constexpr (dtype == DType::bf16) return split_bf16<kTail>(p, n, x);
  if constexpr (dtype == DType::e4m3) return split_e4m3<kTail>(p, n, x);
  if constexpr (dtype == DType::e5m2) return split_e5m2<kTail>(p, n, x);
  constexpr int kSize = size_of(dtype);
  for (int i = 0; i < 2; ++i) {
    const char* at = p + i * kWidth * kSize;
    const int left = kTail ? min_of(n - i * kWidth, kWidth) : kWidth;
    x[i] = splat(0.0f);
    if (left <= 0) continue;
    if constexpr (dtype == DType::f16) {
      x[i] = widen_f16(at, left);
    } else {
      x[i] = kTail ? load_words_first(at, left) : load_words(at);
    }
  }
}

/// to = from in paired order. Both have whole pairs; they may be the same.
inline void pair_row(float* to, const float* from, int n) {
  for (int i = 0; i < n; i += kPair) {
    Vec x[2];
    unzip(load(from + i), load(from + i + kWidth), x);
    store(to + i, x[0]);
    store(to + i + kWidth, x[1]);
  }
}

/// to = from * factor, from paired to natural order. Both have whole pairs.
inline void unpair_row(float* to, const float* from, float factor, int n) {
  for (int i = 0; i < n; i += kPair) {
    Vec x[2];
    join(load(from + i), load(from + i + kWidth), x);
    store(to + i, x[0] * splat(factor));
    store(to + i + kWidth, x[1] * splat(factor));
  }
}

}  // namespace
}  // namespace weft
