// SPDX-License-Identifier: Apache-2.0
// Queries of a segment to shared memory, by the whole CTA, and fused RoPE on them where they lie
// there. Positions follow the causal alignment: token i stands at kv_len - qo_len + i.
#pragma once

#include "kernels/attention/mma_smem.h"
#include "kernels/attention/mma_walk.cuh"
#include "kernels/ptx/cp_async.cuh"
#include "kernels/ptx/shared.cuh"
#include "kernels/tile/rope.cuh"

namespace weft {

template <AttentionMmaSpec spec>
struct MmaQuery {
  using Layout = MmaLayout<spec>;
  static constexpr AttentionMmaSmem kSmem = Layout::kSmem;
  static constexpr int32_t kThreads = 32 * spec.num_warps;

  /// Asks for the queries of a segment; rows beyond the tile's become zeros. The columns that pad a
  /// row are zeros since the kernel began.
  __device__ static __forceinline__ void ask(const AttentionMmaParams& p, const MmaWalk<spec>& walk,
                                             int32_t kv_head, uint32_t to) {
    constexpr int32_t kChunks = spec.head_dim_qk / 8;
    const int32_t rows = walk.rows(p);
    const uint16_t* base = static_cast<const uint16_t*>(p.args.q);
    const uint64_t policy = l2_evict_normal();
#pragma unroll 2
    for (int32_t at = threadIdx.x; at < spec.qo_tile * kChunks; at += kThreads) {
      const int32_t row = at / kChunks, chunk = at % kChunks;
      const int32_t packed = walk.item.row_begin + min_of(row, rows - 1);
      const int32_t token = p.group.quotient(packed);
      const int32_t head = kv_head * p.group.divisor + p.group.remainder(packed, token);
      const uint16_t* from = base + (int64_t{walk.first_token} + token) * p.args.q_stride_token +
                             head * p.args.q_stride_head + chunk * 8;
      const uint32_t place = to + Layout::q_rows().at(row, chunk);
      if (p.q_vectors != 0) {
        cp_async16_or_zero(place, from, policy, row < rows);
      } else {
        store_shared(place, row < rows ? load_elements(from) : make_uint4(0, 0, 0, 0));
      }
    }
  }

  __device__ static __forceinline__ void rotate(const AttentionMmaParams& p,
                                                const MmaWalk<spec>& walk, uint32_t queries,
                                                uint32_t turns) {
    const int32_t rows = walk.rows(p);
    using Rotation = TileRotation<spec.rope, spec.head_dim_qk, spec.dtype_q>;
#pragma unroll 1
    for (int32_t at = threadIdx.x; at < rows * Rotation::kPairs; at += kThreads) {
      const int32_t row = at / Rotation::kPairs, pair = at % Rotation::kPairs;
      const int64_t position = int64_t{p.group.quotient(walk.item.row_begin + row)} + walk.ahead();
      Rotation::rotate_pair(Layout::q_rows(), queries, row, pair,
                            rope_angle(load_shared_u64(turns + pair * 8), position));
    }
  }

 private:
  // Eight elements that do not lie on 16 bytes.
  __device__ static __forceinline__ uint4 load_elements(const uint16_t* from) {
    uint32_t words[4] = {0, 0, 0, 0};
#pragma unroll
    for (int32_t e = 0; e < 8; ++e) {
      words[e / 2] |= static_cast<uint32_t>(from[e]) << (e % 2 * 16);
    }
    return make_uint4(words[0], words[1], words[2], words[3]);
  }
};

}  // namespace weft
