// SPDX-License-Identifier: Apache-2.0
// MmaWarp: the arithmetic of one warp: 16 packed query rows against blocks of 16 keys, and their
// state (o, m, d) in registers. Online softmax in base 2; m is raised only when a logit exceeds it
// by more than kSlack, so the usual block pays a compare and a vote for it.
#pragma once

#include "kernels/attention/mma_logits.cuh"
#include "kernels/attention/mma_smem.h"
#include "kernels/ptx/ldmatrix.cuh"
#include "kernels/ptx/mma.cuh"
#include "kernels/tile/rope.cuh"

namespace weft {

template <AttentionMmaSpec spec>
struct MmaWarp {
  using Layout = MmaLayout<spec>;
  static constexpr AttentionMmaSmem kSmem = Layout::kSmem;
  static constexpr int32_t kSteps = kSmem.q_rows.chunks / 2;             // of 16 columns of q and k
  static constexpr int32_t kTiles = round_up(spec.head_dim_vo, 16) / 8;  // of 8 columns of o
  static constexpr bool kKeepQ = kSteps <= 8;  // in registers; wider ones are read block by block
  static constexpr float kSlack = 8.0f;
  static constexpr DType kCompute = spec.compute();
  /// One-byte keys: an ldmatrix gives a lane four columns in a row, so that products take columns
  /// 4t, 4t + 1 and 4t + 2, 4t + 3 where 16-bit ones take 2t, 2t + 1 and 8 more; queries alike.
  static constexpr bool kBytes = is_fp8(spec.dtype_kv);
  /// Keys turn in registers where no other warp reads them and their pairs meet in one lane.
  static constexpr bool kRotate =
      spec.rope.mode != RopeMode::none && (spec.row_warps() == 1 || kBytes) &&
      (spec.rope.mode == RopeMode::interleaved || rope_dim(spec.rope, spec.head_dim_qk) % 32 == 0);

  float o[kTiles][4];
  float m[2], d[2];  // of rows g and g + 8; d is this lane's share
  uint32_t q[kKeepQ ? kSteps : 1][4];
  uint32_t q_at;  // of the lane's row of the warp's queries
  int32_t q_row;
  uint32_t turns_at;  // RoPE's table

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int32_t j = 0; j < kTiles; ++j) o[j][0] = o[j][1] = o[j][2] = o[j][3] = 0.0f;
    m[0] = m[1] = kMmaNothing;
    d[0] = d[1] = 0.0f;
  }

  __device__ __forceinline__ void load_queries(uint32_t queries, int32_t row_warp) {
    q_at = queries;
    q_row = row_warp * 16 + static_cast<int32_t>(threadIdx.x % 16);
    if constexpr (kKeepQ) {
#pragma unroll
      for (int32_t j = 0; j < kSteps; ++j) load_step(j, q[j]);
    }
  }

  /// Takes keys [key, key + 16) whose K and V rows lie at `keys` and `values`.
  __device__ __forceinline__ void block(const AttentionMmaParams& p, const MmaWalk<spec>& walk,
                                        const MmaLogits<spec>& logits, int32_t key, uint32_t keys,
                                        uint32_t values) {
    float s[2][4] = {};
    if constexpr (kRotate) {
      rotated_dots(key, keys, s);
    } else {
      for_each_step(keys, s, 0, kSteps);
    }
    logits.finish(p, walk, key, s);
    uint32_t weights[4];
    softmax(s, weights);
#pragma unroll
    for (int32_t j = 0; j < kTiles / 2; ++j) {
      uint32_t v[4];
      load_values(values, j, v);
      mma16816<kCompute>(o[2 * j], weights, v[0], v[1]);
      mma16816<kCompute>(o[2 * j + 1], weights, v[2], v[3]);
    }
  }

  /// d of whole rows, in every lane.
  __device__ __forceinline__ void reduce_sums() {
#pragma unroll
    for (int32_t h = 0; h < 2; ++h) {
      d[h] += __shfl_xor_sync(~0u, d[h], 1);
      d[h] += __shfl_xor_sync(~0u, d[h], 2);
    }
  }

 private:
  // Words `half` of the lane's rows of queries and keys in step j: its first column.
  __device__ static __forceinline__ int32_t word_column(int32_t j, int32_t half) {
    const int32_t t = static_cast<int32_t>(threadIdx.x % 4);
    return kBytes ? j * 16 + t * 4 + half * 2 : j * 16 + half * 8 + t * 2;
  }

  __device__ __forceinline__ void load_step(int32_t j, uint32_t (&a)[4]) const {
    const int32_t lane = threadIdx.x % 32;
    if constexpr (kBytes) {
#pragma unroll
      for (int32_t h = 0; h < 2; ++h) {
        const uint64_t words = load_shared_u64(
            q_at + Layout::q_rows().at(q_row - lane % 16 + lane / 4 + 8 * h, 2 * j + lane % 4 / 2) +
            lane % 2 * 8);
        a[h] = static_cast<uint32_t>(words);
        a[2 + h] = static_cast<uint32_t>(words >> 32);
      }
    } else {
      ldmatrix4(a, q_at + Layout::q_rows().at(q_row, 2 * j + lane / 16));
    }
  }

  __device__ static __forceinline__ void load_keys(uint32_t keys, int32_t j, uint32_t (&k)[4]) {
    const int32_t lane = threadIdx.x % 32;
    const int32_t row = lane / 16 * 8 + lane % 8, half = lane / 8 % 2;
    if constexpr (kBytes) {
      uint32_t bytes[4];  // the second and fourth matrix repeat the others
      ldmatrix4(bytes, keys + Layout::k_rows().at(row, j));
#pragma unroll
      for (int32_t i = 0; i < 4; ++i) {
        const uint32_t word = bytes[i / 2 * 2];
        k[i] = widen_fp8<spec.dtype_kv, kCompute>(
            static_cast<uint16_t>(i % 2 == 0 ? word : word >> 16));
      }
    } else {
      ldmatrix4(k, keys + Layout::k_rows().at(row, 2 * j + half));
    }
  }

  // Columns [16 j, 16 j + 16) of 16 keys, as two tiles: the first and the second eight, or of
  // one-byte values the even and the odd ones.
  __device__ static __forceinline__ void load_values(uint32_t values, int32_t j, uint32_t (&v)[4]) {
    const int32_t lane = threadIdx.x % 32;
    if constexpr (kBytes) {
      uint32_t bytes[4];  // the third and fourth matrix repeat the others
      ldmatrix4_trans(bytes, values + Layout::v_rows().at(lane % 16, j));
#pragma unroll
      for (int32_t i = 0; i < 4; ++i) {
        v[i] = widen_fp8<spec.dtype_kv, kCompute>(alternate_bytes(bytes[i % 2], i / 2));
      }
    } else {
      ldmatrix4_trans(v, values + Layout::v_rows().at(lane % 16, 2 * j + lane / 16));
    }
  }

  __device__ __forceinline__ void multiply_step(int32_t j, const uint32_t (&k)[4],
                                                float (&s)[2][4]) {
    if constexpr (kKeepQ) {
      mma16816<kCompute>(s[0], q[j], k[0], k[1]);
      mma16816<kCompute>(s[1], q[j], k[2], k[3]);
    } else {
      uint32_t a[4];
      load_step(j, a);
      mma16816<kCompute>(s[0], a, k[0], k[1]);
      mma16816<kCompute>(s[1], a, k[2], k[3]);
    }
  }

  // Steps [begin, end) of s += q k.
  __device__ __forceinline__ void for_each_step(uint32_t keys, float (&s)[2][4], int32_t begin,
                                                int32_t end) {
#pragma unroll
    for (int32_t j = begin; j < end; ++j) {
      uint32_t k[4];
      load_keys(keys, j, k);
      multiply_step(j, k, s);
    }
  }

  // The same with keys turned on the way: of a word of two columns, pairs lie within (interleaved)
  // or between the words of two steps (neox).
  __device__ __forceinline__ void rotated_dots(int32_t key, uint32_t keys, float (&s)[2][4]) {
    using Rotation = TileRotation<spec.rope, spec.head_dim_qk, kCompute>;
    const int32_t lane = threadIdx.x % 32;
    const uint32_t position = key + lane / 4;
    if constexpr (spec.rope.mode == RopeMode::interleaved) {
#pragma unroll
      for (int32_t j = 0; j < kSteps; ++j) {
        uint32_t k[4];
        load_keys(keys, j, k);
#pragma unroll
        for (int32_t half = 0; half < 2; ++half) {
          const uint64_t turns = load_shared_u64(turns_at + word_column(j, half) * 4);
          Rotation::rotate_word(k[half], Rotation::cos_sin(rope_angle(turns, position)));
          Rotation::rotate_word(k[2 + half], Rotation::cos_sin(rope_angle(turns, position + 8)));
        }
        multiply_step(j, k, s);
      }
    } else {
      constexpr int32_t kHalf = Rotation::kDim / 32;
#pragma unroll
      for (int32_t j = 0; j < kHalf; ++j) {
        uint32_t a[4], b[4];
        load_keys(keys, j, a);
        load_keys(keys, j + kHalf, b);
#pragma unroll
        for (int32_t half = 0; half < 2; ++half) {
          const uint32_t at = turns_at + word_column(j, half) * 8;
          const uint64_t low = load_shared_u64(at), high = load_shared_u64(at + 8);
#pragma unroll
          for (int32_t n = 0; n < 2; ++n) {
            const uint32_t where = position + n * 8;
            Rotation::rotate_words(a[n * 2 + half], b[n * 2 + half],
                                   Rotation::cos_sin(rope_angle(low, where)),
                                   Rotation::cos_sin(rope_angle(high, where)));
          }
        }
        multiply_step(j, a, s);
        multiply_step(j + kHalf, b, s);
      }
      for_each_step(keys, s, 2 * kHalf, kSteps);
    }
  }

  // x = s - m.
  __device__ __forceinline__ void shift(const float (&s)[2][4], float (&x)[2][4]) const {
#pragma unroll
    for (int32_t i = 0; i < 8; ++i) x[i / 4][i % 4] = s[i / 4][i % 4] - m[i % 4 / 2];
  }

  __device__ __forceinline__ void softmax(const float (&s)[2][4], uint32_t (&weights)[4]) {
    float x[2][4];
    shift(s, x);
    float top = x[0][0];
#pragma unroll
    for (int32_t i = 1; i < 8; ++i) top = fmaxf(top, x[i / 4][i % 4]);
    if (__any_sync(~0u, top > kSlack)) {
      raise(s);
      shift(s, x);
    }
#pragma unroll
    for (int32_t i = 0; i < 8; ++i) {
      x[i / 4][i % 4] = exp2_approx(x[i / 4][i % 4]);
      d[i % 4 / 2] += x[i / 4][i % 4];
    }
    weights[0] = pack2<kCompute>(x[0][0], x[0][1]);
    weights[1] = pack2<kCompute>(x[0][2], x[0][3]);
    weights[2] = pack2<kCompute>(x[1][0], x[1][1]);
    weights[3] = pack2<kCompute>(x[1][2], x[1][3]);
  }

  // Raises m of the rows that ask for it to their largest logit, and rescales them; a row's bits do
  // not depend on what other rows need.
  __device__ __forceinline__ void raise(const float (&s)[2][4]) {
    float rescale[2];
#pragma unroll
    for (int32_t h = 0; h < 2; ++h) {
      float top = fmaxf(fmaxf(s[0][2 * h], s[0][2 * h + 1]), fmaxf(s[1][2 * h], s[1][2 * h + 1]));
      top = fmaxf(top, __shfl_xor_sync(~0u, top, 1));
      top = fmaxf(top, __shfl_xor_sync(~0u, top, 2));
      const float raised = top - m[h] > kSlack ? top : m[h];
      rescale[h] = exp2_approx(m[h] - raised);
      m[h] = raised;
      d[h] *= rescale[h];
    }
#pragma unroll
    for (int32_t j = 0; j < kTiles; ++j) {
#pragma unroll
      for (int32_t c = 0; c < 4; ++c) o[j][c] *= rescale[c / 2];
    }
  }
};

}  // namespace weft
