// SPDX-License-Identifier: Apache-2.0
// Online softmax in base 2 over one row and one block of 64 keys: raw dot products in, weights out,
// row state (m, d) and accumulator kept in step.
//
// m need not be the exact maximum: weights stay finite as long as no logit exceeds it by much, so
// it is raised only when one does by more than kSlack (lazy rescale, as in FlashAttention-4). The
// usual row then pays a compare instead of two reductions and a pass over its accumulator.
#pragma once

#include "src/cpu/simd_math.h"
#include "src/ops/attention/cpu/tile.h"

namespace weft {
namespace {

constexpr int kBlockVecs = kBlockKeys / kWidth;
constexpr float kSlack = 8.0f;
constexpr float kNothing = -1e30f;  // m of a row that has seen no key
constexpr float kLog2E = 1.44269504088896340736f;
constexpr float kMinusInfinity = -__builtin_inff();

/// What lies between a raw dot product and a base-2 logit.
struct LogitMap {
  float scale = 1.0f;             // raw to natural logit
  float cap = 0.0f;               // soft cap; 0 = off
  const float* slopes = nullptr;  // ALiBi, by query head; null = off

  /// Only a factor: then it is applied on the way and map_row is not called.
  bool linear() const { return cap == 0.0f && slopes == nullptr; }
};

/// Raw dots of a row to base-2 logits, in place. `distance`: key_begin minus the row's position.
inline void map_row(const LogitMap& map, float slope, float distance, float* s) {
  alignas(64) float lane[kWidth];
  for (int i = 0; i < kWidth; ++i) lane[i] = static_cast<float>(i);
  const Vec slope2 = splat(slope * kLog2E);
  for (int v = 0; v < kBlockVecs; ++v) {
    Vec x = load(s + v * kWidth) * splat(map.scale);
    if (map.cap > 0.0f) x = splat(map.cap) * tanh_of(x * splat(1.0f / map.cap));
    const Vec j = load(lane) + splat(distance + static_cast<float>(v * kWidth));
    store(s + v * kWidth, mul_add(x, splat(kLog2E), slope2 * j));
  }
}

/// State of one row: reference m, denominator d as lanes to be added up, accumulator o.
struct RowState {
  float* m;
  float* d;
  float* o;
  int o_size;   // padded columns
  bool o_live;  // false: o holds nothing yet and must not be read
};

// Raises m to the largest visible logit and rescales what was accumulated under the old one.
[[gnu::noinline]] inline void raise_max(const float* s, float scale, uint64_t visible,
                                        const RowState& row) {
  Vec top = splat(kMinusInfinity);
  for (int v = 0; v < kBlockVecs; ++v) {
    const uint32_t bits = static_cast<uint32_t>(visible >> (v * kWidth));
    const Vec x = load(s + v * kWidth) * splat(scale);
    top = max_each(top, select(bits, x, splat(kMinusInfinity)));
  }
  const float m = reduce_max(top);
  const Vec factor = splat(exp2_of(*row.m - m));
  *row.m = m;
  store(row.d, load(row.d) * factor);
  if (!row.o_live) return;
  for (int c = 0; c < row.o_size; c += kWidth) store(row.o + c, load(row.o + c) * factor);
}

// `visible` as a constant where it is one: no mask is applied.
struct AllVisible {
  static constexpr bool kMasked = false;
  static constexpr uint64_t bits = ~uint64_t{0};
};
struct SomeVisible {
  static constexpr bool kMasked = true;
  uint64_t bits;
};

/// Weights of a row over the first kVecs registers of a block; the other weights are 0, and their
/// dots are not read unless visible. `scale`: from `s` to base-2 logits.
template <int kVecs, class Visible>
[[gnu::always_inline]] inline void softmax_row(const float* s, float scale, Visible visible,
                                               const RowState& row, Vec (&x)[kBlockVecs]) {
  const auto shifted = [&] {
    const Vec factor = splat(scale), m = splat(*row.m);
    for (int v = 0; v < kVecs; ++v) {
      // m is a rounded product: a fused one here would leave m's rounding error, which at logits
      // of 3e9 is more than exp2 can take.
      x[v] = product(load(s + v * kWidth), factor) - m;
      if (Visible::kMasked) {
        const uint32_t bits = static_cast<uint32_t>(visible.bits >> (v * kWidth));
        x[v] = select(bits, x[v], splat(kMinusInfinity));
      }
    }
  };
  shifted();
  Vec top = x[0];
  for (int v = 1; v < kVecs; ++v) top = max_each(top, x[v]);
  if (__builtin_expect(any_greater(top, splat(kSlack)), false)) {
    raise_max(s, scale, visible.bits, row);
    shifted();
  }
  Vec sum = load(row.d);
  for (int v = 0; v < kVecs; ++v) {
    x[v] = exp2_of(x[v]);
    sum = sum + x[v];
  }
  for (int v = kVecs; v < kBlockVecs; ++v) x[v] = splat(0.0f);
  store(row.d, sum);
}

/// The same for any mask: quarters of a block that hold no visible key cost nothing.
[[gnu::always_inline]] inline void softmax_masked_row(const float* s, float scale, uint64_t visible,
                                                      const RowState& row, Vec (&x)[kBlockVecs]) {
  constexpr int kQuarter = kBlockVecs / 4;
  const SomeVisible some{visible};
  if (visible >> 48 != 0) return softmax_row<kBlockVecs>(s, scale, some, row, x);
  if (visible >> 32 != 0) return softmax_row<3 * kQuarter>(s, scale, some, row, x);
  if (visible >> 16 != 0) return softmax_row<2 * kQuarter>(s, scale, some, row, x);
  softmax_row<kQuarter>(s, scale, some, row, x);
}

}  // namespace
}  // namespace weft
