// SPDX-License-Identifier: Apache-2.0
// Online softmax in base 2 on a wgmma accumulator: raw dot products in, weights out, the state
// (m, d) of a thread's two rows kept in step. Masks and maps of logits stand apart, so that the
// loop over unmasked blocks pays nothing for them.
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

/// Relative error 2^-22.5, 16 values a clock and SM: what bounds head_dim 64.
__device__ __forceinline__ float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// The two rows of a thread: row max reference, and this lane's part of the denominator.
struct WgmmaRows {
  float m[2] = {kWgmmaNothing, kWgmmaNothing};
  float d[2] = {0.0f, 0.0f};
};

/// c * tanh(x / c). As 1 - 2 / (e^2y + 1) the error is about 1e-7 c, far below that of a 16-bit dot
/// product.
__device__ __forceinline__ float soft_cap(float x, float cap) {
  const float e = exp2_fast(x / cap * (2.0f * kWgmmaLog2E));
  return cap - 2.0f * cap / (e + 1.0f);
}

/// What the masked loop does to the dots of one block: logits that are not linear are mapped to
/// base 2, and what a row does not see becomes -inf.
template <AttentionWgmmaSpec spec, int n>
__device__ __forceinline__ void mask_block(const AttentionWgmmaParams& p, const WgmmaTile& t,
                                           int32_t warpgroup, int32_t key, float (&s)[n]) {
  const AttentionParams& args = p.args;
  const bool linear = is_linear(args, t);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int32_t packed = t.row_begin + warpgroup * 64 + Fragment::row(half);
    const int32_t token = packed / p.group_size;
    const int32_t head = t.kv_head * p.group_size + packed - token * p.group_size;
    const bool real = token < t.qo_len;  // others read no mask and no slope
    // Of columns counted from this thread's first.
    const int32_t first_key = key + Fragment::column();
    int32_t end = t.key_end;
    if (spec.mask == MaskMode::causal) end = min_of(end, causal_end(token, t.qo_len, t.kv_len));
    end -= first_key;
    const int32_t begin = window_begin(token, t.qo_len, t.kv_len, args.window_left) - first_key;
    const float slope =
        args.alibi_slopes == nullptr || !real ? 0.0f : args.alibi_slopes[head] * kWgmmaLog2E;
    const int32_t ahead = t.kv_len - t.qo_len;
#pragma unroll
    for (int i = 0; i < n; ++i) {
      if (Fragment::half_of(i) != half) continue;
      const int32_t column = Fragment::column_of(i);
      if (!linear) {
        float x = s[i] * t.scale;
        if (args.logits_soft_cap > 0.0f) x = soft_cap(x, args.logits_soft_cap);
        const int32_t distance = first_key + column - token - ahead;
        s[i] = x * kWgmmaLog2E + slope * static_cast<float>(distance);
      }
      bool visible = column < end && column >= begin;
      if constexpr (spec.mask == MaskMode::custom || spec.mask == MaskMode::tree) {
        const int32_t j = first_key + column - (spec.mask == MaskMode::tree ? ahead : 0);
        const int32_t width = spec.mask == MaskMode::tree ? t.qo_len : t.kv_len;
        if (visible && real && j >= 0) {
          const int64_t bit = int64_t{token} * width + j;
          const uint8_t* bytes = args.custom_mask + args.mask_indptr[t.request];
          visible = bytes[bit >> 3] >> (bit & 7) & 1;
        }
      }
      if (!visible) s[i] = -__int_as_float(0x7f800000);
    }
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
    const float m = quad_max(fmaxf(top[0], top[1])) * scale;
    factor[half] = 1.0f;
    if (m > rows.m[half] + kWgmmaSlack) {
      factor[half] = exp2_fast(rows.m[half] - m);
      rows.m[half] = m;
      rows.d[half] *= factor[half];
      raised = true;
    }
  }
  float sum[2][2] = {};
#pragma unroll
  for (int i = 0; i < n; ++i) {
    const int half = Fragment::half_of(i);
    s[i] = exp2_fast(fmaf(s[i], scale, -rows.m[half]));
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
