// SPDX-License-Identifier: Apache-2.0
// Heads that are RMS-normalised before they are rotated: as head_rows.cuh, with a whole head in the
// registers of its lanes, so that it is read once. The body of append's fused step; knows no page.
#pragma once

#include "kernels/ptx/convert.cuh"
#include "kernels/tile/head_rows.cuh"

namespace weft {

/// Sum over the lanes that share a head, for all lanes of the warp at once.
template <HeadRowSpec s>
__device__ __forceinline__ float sum_over_head(float x) {
  if constexpr ((s.lanes() & (s.lanes() - 1)) == 0) {
#pragma unroll
    for (int32_t i = s.lanes() / 2; i > 0; i /= 2) x += __shfl_xor_sync(~0u, x, i);
    return x;
  } else {
    const int32_t lane = static_cast<int32_t>(threadIdx.x) % 32, first = lane - lane % s.lanes();
    float sum = 0.0f;
#pragma unroll
    for (int32_t i = 0; i < s.lanes(); ++i) sum += __shfl_sync(~0u, x, (first + i) & 31);
    return sum;
  }
}

/// What normalises: the weights of a head, which all heads share.
struct HeadNorm {
  const char* weight;  // [head_dim] of the dtype read
  float eps, offset;
};

/// Heads of `range`, as HeadBatch. A lane has its units of all passes at once.
template <HeadRowSpec s>
struct NormedHeads {
  static constexpr int32_t kPasses = s.passes();
  LaneUnit units[kPasses];
  UnitBits<s> bits[kPasses];
  int32_t base;  // the warp's first head

  template <class Heads>
  __device__ __forceinline__ void load(const Heads& heads, HeadRange range) {
#pragma unroll
    for (int32_t i = 0; i < kPasses; ++i) {
      const int32_t h = base + units[i].head;
      bits[i] = {};
      if (h < range.end) bits[i] = load_unit<s>(heads.in(h), units[i]);
    }
  }

  template <class Heads>
  __device__ __forceinline__ void begin(const Heads& heads, HeadRange range) {
#pragma unroll
    for (int32_t i = 0; i < kPasses; ++i) units[i] = lane_unit<s>(i, true);
    base = range.begin;
    load(heads, range);
  }

  __device__ __forceinline__ float factor(float eps) const {
    float sum = 0.0f;
#pragma unroll
    for (int32_t i = 0; i < kPasses; ++i) {
      float a[s.vec], b[s.vec];
      to_f32<s.in, s.vec>(bits[i].first, a);
      to_f32<s.in, s.vec>(bits[i].second, b);
#pragma unroll
      for (int j = 0; j < s.vec; ++j) sum += a[j] * a[j] + b[j] * b[j];
    }
    return rsqrt_approx(sum_over_head<s>(sum) * (1.0f / static_cast<float>(s.head_dim)) + eps);
  }

  /// Writes what is loaded, then all that follows. The whole warp takes part.
  template <class Heads>
  __device__ __forceinline__ void finish(const Heads& heads, HeadRange range, const HeadNorm& norm,
                                         const LaneAngles<s.vec> (&angles)[kPasses]) {
    UnitBits<s> weights[kPasses];
#pragma unroll
    for (int32_t i = 0; i < kPasses; ++i) {
      weights[i] = {};
      if (units[i].head != LaneUnit::kNoHead) weights[i] = load_unit<s>(norm.weight, units[i]);
    }
    while (base < range.end) {
      const float by = factor(norm.eps);
#pragma unroll
      for (int32_t i = 0; i < kPasses; ++i) {
        const int32_t h = base + units[i].head;
        if (h >= range.end || !heads.writes(h)) continue;
        float a[s.vec], b[s.vec], w[s.vec];
        to_f32<s.in, s.vec>(bits[i].first, a);
        to_f32<s.in, s.vec>(weights[i].first, w);
#pragma unroll
        for (int j = 0; j < s.vec; ++j) a[j] *= by * (w[j] + norm.offset);
        to_f32<s.in, s.vec>(bits[i].second, b);
        to_f32<s.in, s.vec>(weights[i].second, w);
#pragma unroll
        for (int j = 0; j < s.vec; ++j) b[j] *= by * (w[j] + norm.offset);
        finish_unit<s>(heads.out(h), units[i], a, b, heads.scale(h), angles[i]);
      }
      base += range.step;
      load(heads, range);
    }
  }
};

}  // namespace weft
