// SPDX-License-Identifier: Apache-2.0
// Queries of a tile to shared memory, by the whole CTA, and fused RoPE on queries and keys where
// they lie there. Positions follow the causal alignment: token i stands at kv_len - qo_len + i.
#pragma once

#include "kernels/attention/mma_smem.h"
#include "kernels/attention/mma_walk.cuh"
#include "kernels/ptx/convert.cuh"
#include "kernels/ptx/shared.cuh"
#include "kernels/tile/rope.cuh"

namespace weft {

template <AttentionMmaSpec spec>
struct MmaQuery {
  using Layout = MmaLayout<spec>;
  static constexpr AttentionMmaSmem kSmem = Layout::kSmem;
  static constexpr int32_t kThreads = 32 * spec.num_warps;

  // Eight elements of a row; zeros beyond head_dim_qk.
  __device__ static __forceinline__ uint4 load_chunk(const AttentionMmaParams& p, int64_t row,
                                                     int32_t chunk) {
    const uint16_t* from = static_cast<const uint16_t*>(p.args.q) + row + chunk * 8;
    if (p.q_vectors != 0) return *reinterpret_cast<const uint4*>(from);
    uint32_t words[4] = {0, 0, 0, 0};
#pragma unroll
    for (int32_t e = 0; e < 8; ++e) {
      words[e / 2] |= static_cast<uint32_t>(from[e]) << (e % 2 * 16);
    }
    return make_uint4(words[0], words[1], words[2], words[3]);
  }

  /// Rows beyond the tile's, and columns beyond head_dim_qk, are zeros.
  __device__ static __forceinline__ void load(const AttentionMmaParams& p,
                                              const MmaWalk<spec>& walk, int32_t kv_head,
                                              uint32_t smem) {
    constexpr int32_t kChunks = kSmem.q_rows.chunks;
    constexpr int32_t kTotal = spec.qo_tile * kChunks;
    const int32_t rows = walk.rows(p);
#pragma unroll 2
    for (int32_t at = threadIdx.x; at < kTotal; at += kThreads) {
      const int32_t row = at / kChunks, chunk = at % kChunks;
      uint4 x = make_uint4(0, 0, 0, 0);
      if (row < rows && chunk * 8 < spec.head_dim_qk) {
        const int32_t packed = walk.item.row_begin + row;
        const int32_t token = p.group.quotient(packed);
        const int32_t head = kv_head * p.group.divisor + p.group.remainder(packed, token);
        x = load_chunk(p,
                       (int64_t{walk.first_token} + token) * p.args.q_stride_token +
                           head * p.args.q_stride_head,
                       chunk);
      }
      store_shared(smem + kSmem.q + Layout::q_rows().at(row, chunk), x);
    }
    if constexpr (spec.rope.mode != RopeMode::none) {
      barrier_sync<kThreads>(0);
      rotate(p, walk, rows, smem);
    }
  }

  __device__ static __forceinline__ void rotate(const AttentionMmaParams& p,
                                                const MmaWalk<spec>& walk, int32_t rows,
                                                uint32_t smem) {
    using Rotation = TileRotation<spec.rope, spec.head_dim_qk, spec.dtype_q>;
#pragma unroll 1
    for (int32_t at = threadIdx.x; at < rows * Rotation::kPairs; at += kThreads) {
      const int32_t row = at / Rotation::kPairs, pair = at % Rotation::kPairs;
      const int64_t position = int64_t{p.group.quotient(walk.item.row_begin + row)} + walk.ahead();
      Rotation::rotate_pair(Layout::q_rows(), smem + kSmem.q, row, pair,
                            rope_angle(load_shared_u64(smem + kSmem.turns + pair * 8), position));
    }
  }
};

}  // namespace weft
