// SPDX-License-Identifier: Apache-2.0
// The producer of the wgmma kernel for pages of any size: all four warps of its warpgroup copy keys
// and values row by row into the tiles that the copy engine would bring in boxes; or a second
// warpgroup copies the values. Queries still come by boxes. Knows no element.
#pragma once

#include "kernels/attention/wgmma_rotate.cuh"
#include "kernels/ptx/cp_async.cuh"

namespace weft {

/// Places of a block's keys in the cache, one or none a lane.
struct WgmmaGatherRow {
  int32_t page;   // -1: no such key, or none of this lane
  int32_t token;  // of the page
};

template <AttentionWgmmaSpec spec>
struct WgmmaGather {
  static constexpr AttentionWgmmaSmem kSmem = AttentionWgmmaSmem::of(spec);
  static constexpr uint32_t kAll = 0xffffffffu;
  static constexpr bool kValues = spec.num_producers == 1;  // else a second producer brings them
  static_assert(!spec.gather || kValues || !spec.rotates());
  // A warp copies 4 rows at a time, 8 chunks of 16 bytes of each; the warpgroup 16.
  static constexpr int32_t kSteps = spec.kv_tile / 16;

  WgmmaProducer<spec> producer;  // announces tiles; its rings are this warp's, too
  const int32_t thread;          // of the warpgroup
  WgmmaRotate<spec, 4> rotate;   // RoPE: by the same warps, when the copies of a block have landed

  /// The row of a block that this lane looks up; lane l of a warp has row l / 4 * 16 + l % 4 of
  /// those that the warp copies.
  __device__ __forceinline__ WgmmaGatherRow find_row(const WgmmaTile& t, int32_t key) const {
    const int32_t lane = thread % 32;
    const int32_t row = lane / 4 * 16 + thread / 32 * 4 + lane % 4;
    const int32_t at = key + row;
    if (row >= spec.kv_tile || at >= t.kv_len) return {-1, 0};
    const AttentionWgmmaParams& p = producer.params;
    if (p.args.lengths.page_size == 0) return {0, t.first_kv + at};
    const int32_t index = p.page.quotient(at);
    return {p.args.kv_indices[t.first_kv + index], p.page.remainder(at, index)};
  }

  /// One block of K or V into the next slot of its ring. Keys that do not exist become zeros.
  template <bool kIsV>
  __device__ __forceinline__ void load_block(const WgmmaTile& t, const WgmmaGatherRow& row) {
    constexpr SwizzledTile kTile = kIsV ? kSmem.v_tile(spec) : kSmem.k_tile(spec);
    constexpr int32_t kColumns = kIsV ? spec.head_dim_vo : spec.head_dim_qk;
    constexpr int32_t kStepBytes = kTile.at(16, 0) - kTile.at(0, 0);
    constexpr int32_t kSliceBytes = kTile.at(0, 64) - kTile.at(0, 0);
    const Ring& ring = kIsV ? producer.rings.v : producer.rings.k;
    RingPosition& at = kIsV ? producer.rings.at_v : producer.rings.at_k;
    const AttentionParams& args = producer.params.args;
    const int64_t page_stride = kIsV ? args.v_stride_page : args.k_stride_page;
    const int64_t token_stride = kIsV ? args.v_stride_token : args.k_stride_token;
    const int64_t head_stride = kIsV ? args.v_stride_head : args.k_stride_head;
    const int32_t lane = thread % 32;
    const int32_t chunk = lane % 8 * 8;  // its first column
    const uint16_t* const from =
        static_cast<const uint16_t*>(kIsV ? args.v : args.k) + t.kv_head * head_stride + chunk;
    const int64_t mine = row.page < 0 ? -1 : row.page * page_stride + row.token * token_stride;
    wait_empty(ring, at);
    const uint64_t policy = l2_evict_normal();
    uint32_t to = producer.smem + (kIsV ? kSmem.v : kSmem.k) + at.slot * kTile.bytes() +
                  kTile.at(thread / 32 * 4 + lane / 8, chunk);
#pragma unroll 1  // the producer has 32 to 40 registers
    for (int32_t step = 0; step < kSteps; ++step, to += kStepBytes) {
      const int64_t offset = __shfl_sync(kAll, mine, step * 4 + lane / 8);
      const uint16_t* const key = from + max_of<int64_t>(offset, 0);
#pragma unroll
      for (int32_t slice = 0; slice < kTile.num_slices(); ++slice) {
        const bool exists = offset >= 0 && slice * 64 + chunk < kColumns;
        cp_async16_or_zero(to + slice * kSliceBytes, exists ? key + slice * 64 : from, policy,
                           exists);
      }
    }
    mbarrier_arrive_behind_copies(ring.full(at.slot));
    at.advance(ring);
  }

  /// As the producer of boxes, but each tile's last V before the next tile's first K. Of two
  /// producers this one brings keys and queries only.
  __device__ __forceinline__ int32_t run_tile(const WgmmaTile& t) {
    constexpr bool kAhead = WgmmaProducer<spec>::kQueriesAhead;
    int32_t key = t.key_begin + (t.num_blocks - 1) * spec.kv_tile;
    int32_t following = 0;
    WgmmaGatherRow before{}, next{};
    if (t.num_blocks > 0) next = find_row(t, key);
#pragma unroll 1
    for (int32_t i = 0; i <= t.num_blocks; ++i) {
      const WgmmaGatherRow row = next;
      key -= spec.kv_tile;
      if (i + 1 < t.num_blocks) next = find_row(t, key);  // a load that nobody waits for here
      if (i < t.num_blocks) load_block<false>(t, row);
      if (!kAhead && i == 0) producer.announce(t);
      if (kValues && i > 0) load_block<true>(t, before);
      if constexpr (spec.rotates()) {
        if (i == 0) rotate.rotate_queries(t);
        if (i < t.num_blocks) rotate.rotate_keys(key + spec.kv_tile);
      }
      before = row;
      if (kAhead && i == min_of(1, t.num_blocks)) {
        following = producer.announce_next();
      }
    }
    return following;
  }

  /// The values of all tiles, by the second producer. It learns of a tile as consumers do, and is
  /// done with it before they are.
  __device__ __forceinline__ void run_values() {
    WgmmaRings& rings = producer.rings;
#pragma unroll 1
    for (int32_t slot = 0;; slot = slot + 1 == kSmem.num_tiles(spec) ? 0 : slot + 1) {
      wait_full(rings.q, rings.at_q);
      rings.at_q.advance(rings.q);
      const WgmmaTile& t = producer.tiles[slot];
      if (t.num_blocks < 0) break;
      int32_t key = t.key_begin + (t.num_blocks - 1) * spec.kv_tile;
      WgmmaGatherRow next{};
      if (t.num_blocks > 0) next = find_row(t, key);
#pragma unroll 1
      for (; key >= t.key_begin; key -= spec.kv_tile) {
        const WgmmaGatherRow row = next;
        if (key > t.key_begin) next = find_row(t, key - spec.kv_tile);
        load_block<true>(t, row);
      }
    }
  }

  __device__ __forceinline__ void run() {
    const WgmmaTile* const tiles = producer.tiles;
    producer.begin();
    if constexpr (WgmmaProducer<spec>::kQueriesAhead) {
      int32_t slot = producer.announce_next();
      while (tiles[slot].num_blocks >= 0) slot = run_tile(tiles[slot]);
      if constexpr (spec.rotates()) rotate.rotate_queries(tiles[slot]);
    } else {
      for (;;) {
        const WgmmaTile& t = tiles[producer.decode()];
        if (t.num_blocks < 0) {
          producer.announce(t);
          if constexpr (spec.rotates()) rotate.rotate_queries(t);
          break;
        }
        run_tile(t);
      }
    }
  }
};

}  // namespace weft
