// SPDX-License-Identifier: Apache-2.0
// Online softmax in base 2 on a wgmma accumulator: raw dot products in, weights out, the state
// (m, d) of a thread's two rows kept in step. Masks and maps of logits stand apart: a block that
// every row sees whole passes them by.
//
// m is raised only when a logit exceeds it by more than 8 (lazy rescale, as in FlashAttention-4):
// weights stay below 2^8, which f16 and bf16 hold, and the accumulator is rarely touched.
#pragma once

#include "kernels/attention/wgmma_tile.cuh"
#include "kernels/tile/fragment.cuh"

namespace weft {

constexpr float kWgmmaSlack = 8.0f;
constexpr float kWgmmaNothing = -1e30f;  // m of a row that has seen no key
constexpr float kWgmmaLog2E = 1.44269504088896340736f;

/// The two rows of a thread: row max reference, and this lane's part of the denominator.
struct WgmmaRows {
  float m[2] = {kWgmmaNothing, kWgmmaNothing};
  float d[2] = {0.0f, 0.0f};
};

/// Dots to base-2 logits, where they are more than scaled: soft cap, ALiBi, factors of any sign.
template <int n>
__device__ __forceinline__ void map_block(const AttentionWgmmaParams& p, const WgmmaTile& t,
                                          int32_t warpgroup, int32_t key, float (&s)[n]) {
  const AttentionParams& args = p.args;
  const float cap = args.logits_soft_cap;
  const float rate = cap > 0.0f ? __fdividef(t.scale, cap) : t.scale * kWgmmaLog2E;
  float slope[2], distance[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int32_t packed = t.row_begin + warpgroup * 64 + Fragment::row(half);
    const int32_t token = p.group.quotient(packed);
    const int32_t head = t.kv_head * p.group.divisor + p.group.remainder(packed, token);
    slope[half] = args.alibi_slopes == nullptr ? 0.0f : args.alibi_slopes[head] * kWgmmaLog2E;
    distance[half] =
        static_cast<float>(key + Fragment::column() - token - t.kv_len + t.qo_len) * slope[half];
  }
#pragma unroll
  for (int i = 0; i < n; ++i) s[i] *= rate;
  if (cap > 0.0f) {
#pragma unroll
    for (int i = 0; i < n; ++i) s[i] = kWgmmaLog2E * cap * tanh_approx(s[i]);
  }
#pragma unroll
  for (int i = 0; i < n; ++i) {
    const int half = Fragment::half_of(i);
    s[i] += fmaf(slope[half], static_cast<float>(Fragment::column_of(i)), distance[half]);
  }
}

/// Bits 0 .. count - 1. REQUIRES: count <= 32.
__device__ __forceinline__ uint32_t low_bits(int32_t count) {
  return count <= 0 ? 0u : 0xffffffffu >> (32 - count);
}

/// How many of a thread's values of a row lie before `column`, counted from its first.
__device__ __forceinline__ int32_t values_before(int32_t column, int32_t values) {
  const int32_t c = max_of(column, 0);
  return min_of(c / 8 * 2 + min_of(c % 8, 2), values);
}

/// Bit v: the thread's value v of a row, column 8 * (v / 2) + v % 2 of its own, is visible to it.
template <AttentionWgmmaSpec spec>
__device__ __forceinline__ uint32_t visible_values(const AttentionWgmmaParams& p,
                                                   const WgmmaTile& t, int32_t token, int32_t key) {
  constexpr int32_t kValues = spec.kv_tile / 4;
  const int32_t first_key = key + Fragment::column();
  int32_t end = t.key_end;
  if (spec.mask == MaskMode::causal) end = min_of(end, causal_end(token, t.qo_len, t.kv_len));
  const int32_t begin = window_begin(token, t.qo_len, t.kv_len, p.args.window_left);
  uint32_t bits = low_bits(values_before(end - first_key, kValues)) &
                  ~low_bits(values_before(begin - first_key, kValues));
  if constexpr (spec.mask == MaskMode::custom || spec.mask == MaskMode::tree) {
    if (token >= t.qo_len) return 0;  // a row of nobody has no bits either
    constexpr bool kTree = spec.mask == MaskMode::tree;
    const uint8_t* const mask = p.args.custom_mask + p.args.mask_indptr[t.request];
    const int32_t before = kTree ? t.kv_len - t.qo_len : 0;  // keys that have no bit
    const int64_t row = int64_t{token} * (kTree ? t.qo_len : t.kv_len);
#pragma unroll 1
    for (int32_t v = 0; v < kValues; ++v) {
      const int32_t j = first_key + Fragment::column_of(v / 2 * 4 + v % 2) - before;
      if (j < 0 || (bits >> v & 1) == 0) continue;
      if ((mask[(row + j) >> 3] >> ((row + j) & 7) & 1) == 0) bits &= ~(1u << v);
    }
  }
  return bits;
}

/// What a row does not see becomes -inf.
template <AttentionWgmmaSpec spec, int n>
__device__ __forceinline__ void mask_block(const AttentionWgmmaParams& p, const WgmmaTile& t,
                                           int32_t warpgroup, int32_t key, float (&s)[n]) {
  const int32_t packed = t.row_begin + warpgroup * 64 + Fragment::row(0);
  const uint32_t bits[2] = {visible_values<spec>(p, t, p.group.quotient(packed), key),
                            visible_values<spec>(p, t, p.group.quotient(packed + 8), key)};
#pragma unroll
  for (int i = 0; i < n; ++i) {
    const uint32_t bit = bits[Fragment::half_of(i)] >> (i / 4 * 2 + i % 2) & 1;
    s[i] = bit != 0 ? s[i] : -__int_as_float(0x7f800000);
  }
}

/// Weights in place of dots. `scale`: from `s` to base-2 logits, positive. factor[h] is what the
/// accumulator of a row must be multiplied by; true when one of the thread's is not 1.
template <int n>
__device__ __forceinline__ bool softmax_block(float scale, float (&s)[n], WgmmaRows& rows,
                                              float (&factor)[2]) {
  bool raised = false;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    // Two chains a row: one alone would wait 4 clocks for each comparison.
    float top[2] = {s[2 * half], s[2 * half + 1]};
#pragma unroll
    for (int i = 4; i < n; i += 4) {
      top[0] = fmaxf(top[0], s[i + 2 * half]);
      top[1] = fmaxf(top[1], s[i + 2 * half + 1]);
    }
    const float m = __fmul_rn(quad_max(fmaxf(top[0], top[1])), scale);  // nowhere fused
    factor[half] = 1.0f;
    if (m > rows.m[half] + kWgmmaSlack) {
      factor[half] = exp2_approx(rows.m[half] - m);
      rows.m[half] = m;
      rows.d[half] *= factor[half];
      raised = true;
    }
  }
  // From logits of 2^24 on, m's rounding error is more than weights can bear. Elsewhere it is a
  // factor that o and d share.
  if (fmaxf(fabsf(rows.m[0]), fabsf(rows.m[1])) > 0x1p24f) {
#pragma unroll
    for (int i = 0; i < n; ++i) s[i] = __fmul_rn(s[i], scale);
    scale = 1.0f;
  }
  float sum[2][2] = {};
#pragma unroll
  for (int i = 0; i < n; ++i) {
    const int half = Fragment::half_of(i);
    s[i] = exp2_approx(fmaf(s[i], scale, -rows.m[half]));
    sum[half][i % 2] += s[i];
  }
  rows.d[0] += sum[0][0] + sum[0][1];
  rows.d[1] += sum[1][0] + sum[1][1];
  return raised;
}

/// Multiplies an accumulator's rows after softmax_block raised their m.
template <int n>
__device__ __forceinline__ void rescale_rows(float (&o)[n], const float (&factor)[2]) {
#pragma unroll
  for (int i = 0; i < n; ++i) o[i] *= factor[Fragment::half_of(i)];
}

}  // namespace weft
