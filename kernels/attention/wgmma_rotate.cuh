// SPDX-License-Identifier: Apache-2.0
// Fused RoPE of the wgmma kernel: warps of the producer's warpgroup turn queries and keys where
// they landed in shared memory, between the copy that brought them and the products that read them,
// and say so at a barrier a slot. Consumers only wait for another barrier.
//
// A key's angle is exact for the first row of a short run, and each further row turns by one step
// (error below 3e-6 at 16 rows); runs begin at absolute multiples, so a key's bits depend on its
// position alone. Queries have their exact angle each.
#pragma once

#include "kernels/attention/wgmma_produce.cuh"
#include "kernels/tile/rope.cuh"

namespace weft {

/// kWarps warps share each tile of keys or queries, kUnit rows at a time.
template <AttentionWgmmaSpec spec, int32_t kWarps>
struct WgmmaRotate {
  static constexpr AttentionWgmmaSmem kSmem = AttentionWgmmaSmem::of(spec);
  using Rotation = TileRotation<spec.rope, spec.head_dim_qk, spec.dtype>;
  static constexpr int32_t kPairs = Rotation::kPairs;
  static constexpr bool kInterleaved = spec.rope.mode == RopeMode::interleaved;
  // Four pairs a lane, 8 bytes of either element or 16 of both; else pair by pair.
  static constexpr bool kFours = kPairs % 4 == 0;
  static constexpr int32_t kLanes =  // of a row
      kPairs <= 8    ? 2
      : kPairs <= 16 ? 4
      : kPairs <= 32 ? 8
      : kPairs <= 64 ? 16
                     : 32;
  static constexpr int32_t kRun =
      kLanes >= 16 ? 8 : kLanes / 2;                    // rows of a lane, one below another
  static constexpr int32_t kUnit = kRun * 32 / kLanes;  // rows of a warp: 16 or 8

  const AttentionWgmmaParams& params;
  const uint32_t smem;
  const WgmmaTile* const tiles;  // in shared memory
  const int32_t warp;            // of kWarps
  WgmmaRings rings;

  __device__ __forceinline__ static int32_t lane() {
    return static_cast<int32_t>(threadIdx.x % 32);
  }
  __device__ __forceinline__ static int32_t first_pair() { return lane() % kLanes * 4; }

  __device__ __forceinline__ CosSin exact(int32_t pair, int64_t position) const {
    return Rotation::cos_sin(rope_angle(
        load_shared_u64(smem + kSmem.turns + static_cast<uint32_t>(pair) * 8), position));
  }

  /// Of this lane's pairs, at a position.
  __device__ __forceinline__ void set(CosSin (&angles)[4], int64_t position) const {
#pragma unroll
    for (int32_t i = 0; i < 4; ++i) angles[i] = exact(first_pair() + i, position);
  }

  /// Of this lane's pairs, what one position turns them by.
  __device__ __forceinline__ void load_steps(CosSin (&step)[4]) const {
    const uint32_t at = smem + kSmem.steps + static_cast<uint32_t>(first_pair()) * 8;
#pragma unroll
    for (int32_t i = 0; i < 4; i += 2) {
      const float4 x = load_shared_f32x4(at + static_cast<uint32_t>(i) * 8);
      step[i] = {x.x, x.y};
      step[i + 1] = {x.z, x.w};
    }
  }

  /// Of this lane in row r of its run, which starts at row `first`: where column `column` lies.
  /// A run is part of a band or a whole one, so r moves it by constants.
  static __device__ __forceinline__ uint32_t place(SwizzledTile t, int32_t first, int32_t r,
                                                   int32_t column) {
    const int32_t chunk = column % t.slice_columns() * 2 ^ first % 8 * 16;
    return static_cast<uint32_t>(column / t.slice_columns() * t.slice_stride() +
                                 first / 8 * t.band_stride() + first % 8 * 128 + r * 128 +
                                 (chunk ^ r * 16));
  }

  /// This lane's pairs of a row: words of pairs, or two words of first elements and then two of
  /// second ones.
  static __device__ __forceinline__ uint4 load(SwizzledTile t, uint32_t tile, int32_t first,
                                               int32_t r) {
    if constexpr (kInterleaved)
      return load_shared_u32x4(tile + place(t, first, r, 2 * first_pair()));
    const uint2 a = load_shared_u32x2(tile + place(t, first, r, first_pair()));
    const uint2 b = load_shared_u32x2(tile + place(t, first, r, first_pair() + kPairs));
    return make_uint4(a.x, a.y, b.x, b.y);
  }

  static __device__ __forceinline__ void store(SwizzledTile t, uint32_t tile, int32_t first,
                                               int32_t r, const uint4& x) {
    if constexpr (kInterleaved) {
      store_shared(tile + place(t, first, r, 2 * first_pair()), x);
    } else {
      store_shared(tile + place(t, first, r, first_pair()), make_uint2(x.x, x.y));
      store_shared(tile + place(t, first, r, first_pair() + kPairs), make_uint2(x.z, x.w));
    }
  }

  static __device__ __forceinline__ void turn(uint4& x, const CosSin (&w)[4]) {
    if constexpr (kInterleaved) {
      Rotation::rotate_word(x.x, w[0]);
      Rotation::rotate_word(x.y, w[1]);
      Rotation::rotate_word(x.z, w[2]);
      Rotation::rotate_word(x.w, w[3]);
    } else {
      Rotation::rotate_words(x.x, x.z, w[0], w[1]);
      Rotation::rotate_words(x.y, x.w, w[2], w[3]);
    }
  }

  /// This lane's pairs of the keys of its run; `position`: of the run's first.
  __device__ __forceinline__ void turn_run(SwizzledTile t, uint32_t tile, int32_t first,
                                           int64_t position) const {
    CosSin at[4], step[4];
    uint4 x = load(t, tile, first, 0);
    load_steps(step);
    set(at, position);
#pragma unroll
    for (int32_t r = 0; r < kRun; ++r) {
      uint4 next{};
      if (r + 1 < kRun) next = load(t, tile, first, r + 1);  // in flight while this row turns
      turn(x, at);
      store(t, tile, first, r, x);
      x = next;
      if (r + 1 == kRun) break;
#pragma unroll
      for (int32_t i = 0; i < 4; ++i) rope_rotate(at[i].cos, at[i].sin, step[i]);
    }
  }

  /// Pair by pair, for rotary dimensions that do not come in fours.
  template <class Position>
  __device__ __forceinline__ void turn_pairs(SwizzledTile t, uint32_t tile, int32_t unit,
                                             int32_t rows, const Position& position) const {
#pragma unroll 1
    for (int32_t i = lane(); i < kUnit * kPairs; i += 32) {
      const int32_t row = unit + i / kPairs, pair = i % kPairs;
      if (row >= rows) break;
      const RopePair e = rope_pair(spec.rope.mode, Rotation::kDim, pair);
      const uint32_t first = tile + static_cast<uint32_t>(t.at(row, e.first));
      const uint32_t second = tile + static_cast<uint32_t>(t.at(row, e.second));
      float a = widen<spec.dtype>(load_shared_u16(first));
      float b = widen<spec.dtype>(load_shared_u16(second));
      rope_rotate(a, b, exact(pair, position(row)));
      store_shared(first, narrow<spec.dtype>(a));
      store_shared(second, narrow<spec.dtype>(b));
    }
  }

  /// What was turned is ordinary writes, which the tensor cores see behind a fence.
  __device__ __forceinline__ void announce(uint32_t barriers, const RingPosition& at) const {
    fence_async_proxy();
    __syncwarp();
    if (lane() == 0) mbarrier_arrive(barriers + 8 * static_cast<uint32_t>(at.slot));
  }

  /// The block of keys that begins at `key`, once it is there.
  __device__ __forceinline__ void rotate_keys(int32_t key) {
    constexpr SwizzledTile kTile = kSmem.k_tile(spec);
    const uint32_t tile = smem + kSmem.k + static_cast<uint32_t>(rings.at_k.slot * kTile.bytes());
    wait_full(rings.k, rings.at_k);
#pragma unroll 1
    for (int32_t unit = warp * kUnit; unit < spec.kv_tile; unit += kWarps * kUnit) {
      if constexpr (!kFours) {
        turn_pairs(kTile, tile, unit, spec.kv_tile,
                   [key](int32_t row) { return int64_t{key} + row; });
      } else if (first_pair() < kPairs) {
        const int32_t first = unit + lane() / kLanes * kRun;
        turn_run(kTile, tile, first, int64_t{key} + first);
      }
    }
    announce(rings.k_turned, rings.at_k);
    rings.at_k.advance(rings.k);
  }

  /// The queries of a tile, once they are there. Rows of one token follow each other.
  __device__ __forceinline__ void rotate_queries(const WgmmaTile& t) {
    constexpr SwizzledTile kTile = kSmem.q_tile(spec);
    const uint32_t tile = smem + kSmem.q + static_cast<uint32_t>(rings.at_q.slot * kTile.bytes());
    wait_full(rings.q, rings.at_q);
    const int32_t rows = t.num_blocks > 0 ? t.rows : 0;
    const auto position = [&](int32_t row) {
      return int64_t{params.group.quotient(t.row_begin + row)} + t.kv_len - t.qo_len;
    };
#pragma unroll 1
    for (int32_t unit = warp * kUnit; unit < rows; unit += kWarps * kUnit) {
      if constexpr (!kFours) {
        turn_pairs(kTile, tile, unit, rows, position);
      } else if (first_pair() < kPairs) {
        const int32_t first = unit + lane() / kLanes * kRun;
        CosSin at[4];
        int64_t before = -(int64_t{1} << 40);
#pragma unroll 1
        for (int32_t r = 0; r < kRun && first + r < rows; ++r) {
          const int64_t here = position(first + r);
          if (here != before) set(at, here);
          before = here;
          uint4 x = load(kTile, tile, first, r);
          turn(x, at);
          store(kTile, tile, first, r, x);
        }
      }
    }
    announce(rings.q_turned, rings.at_q);
    rings.at_q.advance(rings.q);
  }

  /// All tiles of the CTA, by warps that do nothing else.
  __device__ __forceinline__ void run() {
#pragma unroll 1
    for (int32_t slot = 0;; slot = slot + 1 == kSmem.num_tiles(spec) ? 0 : slot + 1) {
      const WgmmaTile& t = tiles[slot];
      rotate_queries(t);
      if (t.num_blocks < 0) break;
      int32_t key = t.key_begin + (t.num_blocks - 1) * spec.kv_tile;
#pragma unroll 1
      for (; key >= t.key_begin; key -= spec.kv_tile) rotate_keys(key);
    }
  }

  /// The tables in shared memory, by all threads of the CTA, who meet before anyone reads them.
  static __device__ __forceinline__ void fill_tables(uint32_t smem) {
    Rotation::template fill_turns<spec.num_threads()>(smem + kSmem.turns, kPairs);
    for (int32_t i = static_cast<int32_t>(threadIdx.x); i < kPairs; i += spec.num_threads()) {
      const uint64_t turns = kRopeTurns<spec.rope, spec.head_dim_qk>.turns[i];
      const CosSin step = rope_cos_sin(static_cast<uint32_t>(turns >> 32));
      store_shared(smem + kSmem.steps + static_cast<uint32_t>(i) * 8,
                   make_float2(step.cos, step.sin));
    }
  }
};

}  // namespace weft
