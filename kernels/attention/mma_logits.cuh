// SPDX-License-Identifier: Apache-2.0
// From raw dot products to base-2 logits, and which of them a row may see. A block is 16 rows by 16
// keys in the registers of a warp, as kernels/ptx/mma.cuh lays accumulators out: two tiles of 8
// keys. Blocks that every row sees whole, of configs without soft cap and ALiBi, come here not at
// all.
#pragma once

#include "kernels/attention/mma_walk.cuh"
#include "kernels/ptx/convert.cuh"
#include "kernels/ptx/shared.cuh"

namespace weft {

inline constexpr float kMmaLog2E = 1.44269504088896340736f;
inline constexpr float kMmaNothing = -1e30f;  // m of a row that has seen no key

template <AttentionMmaSpec spec>
struct MmaLogits {
  // From raw to base-2 logits, or to natural ones when not linear; of each row, where rows of
  // queries were scaled.
  float scale[spec.scales_queries() ? 2 : 1];
  bool linear;         // only a factor
  int32_t group_head;  // first query head of the KV head
  // Of the lane's rows g and g + 8:
  int32_t row[2];  // packed row of the request
  // Of the warp's 16 rows: keys any of them sees, and keys all of them see.
  int32_t any_begin, any_end, all_begin, all_end;

  __device__ __forceinline__ void begin(const AttentionMmaParams& p, const MmaWalk<spec>& walk,
                                        int32_t kv_head, int32_t row_warp, uint32_t scales) {
    const AttentionParams& a = p.args;
    scale[0] = a.sm_scale * a.k_scale * (a.k_scales == nullptr ? 1.0f : a.k_scales[kv_head]);
    linear = a.logits_soft_cap == 0.0f && a.alibi_slopes == nullptr;
    if (linear) scale[0] *= kMmaLog2E;
    if constexpr (spec.scales_queries()) {
      const uint32_t at =
          scales + (row_warp * 16 + static_cast<uint32_t>(threadIdx.x % 32) / 4) * 4;
      scale[1] = scale[0] * __int_as_float(load_shared_i32(at + 32));
      scale[0] *= __int_as_float(load_shared_i32(at));
    }
    group_head = kv_head * p.group.divisor;
    const int32_t rows = walk.rows(p);
    const int32_t first = row_warp * 16, last = min_of(first + 15, rows - 1);
    const int32_t lane_row = static_cast<int32_t>(threadIdx.x % 32) / 4;
#pragma unroll
    for (int32_t h = 0; h < 2; ++h) {
      row[h] = walk.item.row_begin + min_of(first + lane_row + 8 * h, rows - 1);
    }
    const int32_t first_token = p.group.quotient(walk.item.row_begin + first);
    const int32_t last_token = p.group.quotient(walk.item.row_begin + max_of(last, 0));
    any_begin = visible_begin(p, walk, first_token);
    all_begin = visible_begin(p, walk, last_token);
    any_end = first < rows ? visible_end(walk, last_token) : 0;
    all_end = visible_end(walk, first_token);
    if constexpr (spec.mask == MaskMode::custom) all_end = 0;
    if constexpr (spec.mask == MaskMode::tree) all_end = min_of(all_end, walk.ahead());
  }

  /// Turns raw dots of keys [key, key + 16) into base-2 logits, -inf where a row must not look.
  /// Masks come last: a scale of 0 or below must not turn them round.
  __device__ __forceinline__ void finish(const AttentionMmaParams& p, const MmaWalk<spec>& walk,
                                         int32_t key, float (&s)[2][4]) const {
    if (linear) {
#pragma unroll
      // Rounded before m is subtracted: fused into it, m's own rounding error would be left over.
      for (int32_t i = 0; i < 8; ++i)
        s[i / 4][i % 4] = __fmul_rn(s[i / 4][i % 4], scale_of(i % 4 / 2));
    } else {
      map(p, walk, key, s);
    }
    if (key < all_begin || key + 16 > all_end) mask(p, walk, key, s);
  }

 private:
  __device__ __forceinline__ float scale_of(int32_t h) const {
    return scale[spec.scales_queries() ? h : 0];
  }
  __device__ static __forceinline__ int32_t visible_begin(const AttentionMmaParams& p,
                                                          const MmaWalk<spec>& walk,
                                                          int32_t token) {
    return window_begin(token, walk.qo_len, walk.kv_len, p.args.window_left);
  }
  __device__ static __forceinline__ int32_t visible_end(const MmaWalk<spec>& walk, int32_t token) {
    if constexpr (spec.mask != MaskMode::causal) return walk.key_end;
    return min_of(walk.key_end, causal_end(token, walk.qo_len, walk.kv_len));
  }
  // Key of element c of tile n.
  __device__ static __forceinline__ int32_t key_of(int32_t key, int32_t n, int32_t c) {
    return key + n * 8 + static_cast<int32_t>(threadIdx.x % 4) * 2 + c % 2;
  }

  __device__ __forceinline__ void map(const AttentionMmaParams& p, const MmaWalk<spec>& walk,
                                      int32_t key, float (&s)[2][4]) const {
    const float cap = p.args.logits_soft_cap;
    const float inverse_cap = cap > 0.0f ? 1.0f / cap : 0.0f;
#pragma unroll
    for (int32_t h = 0; h < 2; ++h) {
      const int32_t token = p.group.quotient(row[h]);
      const int32_t head = group_head + p.group.remainder(row[h], token);
      const float slope =
          p.args.alibi_slopes == nullptr ? 0.0f : p.args.alibi_slopes[head] * kMmaLog2E;
      const int32_t position = token + walk.ahead();
#pragma unroll
      for (int32_t i = 0; i < 4; ++i) {
        float& x = s[i / 2][2 * h + i % 2];
        float y = x * scale_of(h);
        if (cap > 0.0f) y = cap * tanh_approx(y * inverse_cap);
        x = y * kMmaLog2E + slope * static_cast<float>(key_of(key, i / 2, i % 2) - position);
      }
    }
  }

  __device__ __forceinline__ void mask(const AttentionMmaParams& p, const MmaWalk<spec>& walk,
                                       int32_t key, float (&s)[2][4]) const {
#pragma unroll
    for (int32_t h = 0; h < 2; ++h) {
      const int32_t token = p.group.quotient(row[h]);
      const int32_t begin = visible_begin(p, walk, token);
      const int32_t end = visible_end(walk, token);
#pragma unroll
      for (int32_t i = 0; i < 4; ++i) {
        const int32_t j = key_of(key, i / 2, i % 2);
        bool visible = j >= begin && j < end;
        if constexpr (spec.mask == MaskMode::custom || spec.mask == MaskMode::tree) {
          if (visible) visible = mask_bit(p, walk, token, j);
        }
        if (!visible) s[i / 2][2 * h + i % 2] = -__int_as_float(0x7f800000);
      }
    }
  }

  __device__ static __forceinline__ bool mask_bit(const AttentionMmaParams& p,
                                                  const MmaWalk<spec>& walk, int32_t token,
                                                  int32_t j) {
    const uint8_t* bytes = p.args.custom_mask + p.args.mask_indptr[walk.item.request];
    int64_t bit = int64_t{token} * walk.kv_len + j;
    if constexpr (spec.mask == MaskMode::tree) {
      if (j < walk.ahead()) return true;
      bit = int64_t{token} * walk.qo_len + (j - walk.ahead());
    }
    return bytes[bit >> 3] >> (bit & 7) & 1;
  }
};

}  // namespace weft
