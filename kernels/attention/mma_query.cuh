// SPDX-License-Identifier: Apache-2.0
// Queries of a segment to shared memory, by the whole CTA, and fused RoPE on them where they lie
// there. Positions follow the causal alignment: token i stands at kv_len - qo_len + i.
#pragma once

#include "kernels/attention/mma_smem.h"
#include "kernels/attention/mma_walk.cuh"
#include "kernels/ptx/convert.cuh"
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

  /// bf16 queries to f16 where they lie, each row times the power of two that brings its largest
  /// into 128 .. 256; what undoes it goes to `scales`. A warp a row.
  __device__ static __forceinline__ void narrow(uint32_t queries, uint32_t scales) {
    constexpr int32_t kChunks = kSmem.q_rows.chunks;
    const int32_t lane = threadIdx.x % 32;
#pragma unroll 1
    for (int32_t row = threadIdx.x / 32; row < spec.qo_tile; row += spec.num_warps) {
      const uint32_t at = queries + Layout::q_rows().at(row, lane < kChunks ? lane : 0);
      const uint4 x = load_shared_u32x4(at);
      const uint32_t words[4] = {x.x, x.y, x.z, x.w};
      float values[8];
      uint32_t top = 0;  // as bits, which NaN and infinity lead
#pragma unroll
      for (int32_t i = 0; i < 4; ++i) {
        unpack2<DType::bf16>(words[i], values[2 * i], values[2 * i + 1]);
        top = max_of(top, max_of(words[i] & 0x7fffu, words[i] >> 16 & 0x7fffu));
      }
#pragma unroll
      for (int32_t i = 16; i > 0; i /= 2) top = max_of(top, __shfl_xor_sync(~0u, top, i));
      const uint32_t exponent = min_of(127u + 134u - (top >> 7), 254u);
      const float factor = __uint_as_float(exponent << 23);
      uint32_t halves[4];
#pragma unroll
      for (int32_t i = 0; i < 4; ++i) {
        halves[i] = pack2<DType::f16>(values[2 * i] * factor, values[2 * i + 1] * factor);
      }
      if (lane < kChunks) {
        store_shared(at, make_uint4(halves[0], halves[1], halves[2], halves[3]));
      }
      if (lane == 0) {
        const uint32_t bits = (254u - exponent) << 23;
        store_shared(scales + row * 4, static_cast<int32_t>(bits));
      }
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
