// SPDX-License-Identifier: Apache-2.0
// The producer of the wgmma kernel: one warp that walks the CTA's work and keeps the rings of K and
// V full, running ahead of the consumers across tiles, items and requests. It decodes items, looks
// pages up and issues boxes; it never sees an element.
#pragma once

#include "kernels/attention/wgmma_tile.cuh"
#include "kernels/ptx/named_barrier.cuh"
#include "kernels/ptx/tma.cuh"
#include "kernels/tile/ring.cuh"

namespace weft {

/// Where the rings of a CTA stand in shared memory, and how far one side has walked.
struct WgmmaRings {
  Ring q, k, v;
  uint32_t q_turned, k_turned;  // RoPE: barriers behind `full`, one a slot
  RingPosition at_q, at_k, at_v;

  static __device__ __forceinline__ WgmmaRings at(const AttentionWgmmaSpec& spec, uint32_t smem) {
    const AttentionWgmmaSmem m = AttentionWgmmaSmem::of(spec);
    WgmmaRings r;
    r.q = {smem + m.q_ring, spec.num_q_stages};
    r.k = {smem + m.k_ring, spec.num_stages};
    r.v = {smem + m.v_ring, spec.num_stages};
    r.q_turned = smem + m.q_turned;
    r.k_turned = smem + m.k_turned;
    return r;
  }
};

template <AttentionWgmmaSpec spec>
struct WgmmaProducer {
  static constexpr AttentionWgmmaSmem kSmem = AttentionWgmmaSmem::of(spec);

  const AttentionWgmmaParams& params;
  const uint32_t smem;
  WgmmaTile* const tiles;  // in shared memory
  const int32_t thread;    // of the warp
  WgmmaRings rings;
  static constexpr bool kQueriesAhead = spec.num_q_stages > 1;
  int32_t next_slot = 0;  // of `tiles`
  int32_t next_head = 0;
  int32_t next_item = 0;

  // A decoded tile lives in shared memory on this side too: the producer has few registers.

  /// The box of a block that this lane issues, of K and a step later of V: a box is box_keys keys
  /// of a slice, or banded of all slices. Lanes l, l + kBoxes, ... have the same keys.
  struct Box {
    int32_t token;  // of its page; ragged: of the tensor
    int32_t page;   // -1: none, boxes past the request's end are left out
  };
  static constexpr int32_t kBoxes = spec.kv_tile / 16;
  Box next_k{};
  Box next_v{};              // of the block whose K went before
  int32_t next_v_head = -1;  // -1: none

  /// The look-up is a load that nobody waits for here: it is asked for a block ahead.
  __device__ __forceinline__ Box find_box(const WgmmaTile& t, int32_t key) const {
    const int32_t in_block = thread % kBoxes * params.box_keys;
    const int32_t at = key + in_block;
    if (in_block >= spec.kv_tile || at >= t.kv_len) return {0, -1};
    if (params.args.lengths.page_size == 0) return {t.first_kv + at, 0};
    const int32_t index = params.page.quotient(at);
    return {params.page.remainder(at, index), params.args.kv_indices[t.first_kv + index]};
  }

  /// One block of K or V into the next slot of its ring.
  template <bool kIsV>
  __device__ __forceinline__ void load_block(int32_t kv_head, const Box& box) {
    constexpr SwizzledTile kTile = kIsV ? kSmem.v_tile(spec) : kSmem.k_tile(spec);
    constexpr int32_t kSlices = spec.banded ? 1 : kTile.num_slices();  // that are boxes
    static_assert(kBoxes * kSlices <= 32);
    const Ring& ring = kIsV ? rings.v : rings.k;
    RingPosition& at = kIsV ? rings.at_v : rings.at_k;
    const TensorMap& map = kIsV ? params.v_map : params.k_map;
    const int32_t slice = thread / kBoxes;
    const bool issues = box.page >= 0 && slice < kSlices;
    const int32_t boxes = __popc(__ballot_sync(0xffffffffu, issues));
    wait_empty(ring, at);
    const uint32_t full = ring.full(at.slot);
    if (thread == 0) {
      mbarrier_arrive_expect(full,
                             boxes * params.box_keys * (kTile.bytes() / kTile.rows / kSlices));
    }
    __syncwarp();
    if (issues) {
      const uint32_t to = smem + (kIsV ? kSmem.v : kSmem.k) + at.slot * kTile.bytes() +
                          thread % kBoxes * params.box_keys / 8 * kTile.band_stride();
      if constexpr (spec.banded) {
        const WgmmaPlace& place = kIsV ? params.v_place : params.k_place;
        tma_load(to, map, full, 0, 0, 0, box.token / 8,
                 box.page * place.page + kv_head * place.head);
      } else {
        tma_load(to + slice * kTile.slice_stride(), map, full, slice * kTile.slice_columns(),
                 box.token, kv_head, box.page);
      }
    }
    at.advance(ring);
  }

  /// Tells the consumers of a tile, and brings its queries.
  __device__ __forceinline__ void announce(const WgmmaTile& t) {
    wait_empty(rings.q, rings.at_q);
    const uint32_t full = rings.q.full(rings.at_q.slot);
    if (thread == 0) {
      if (t.num_blocks > 0) {
        constexpr SwizzledTile kTile = kSmem.q_tile(spec);
        mbarrier_arrive_expect(full, kTile.num_slices() * params.qo_tile * kTile.span);
        const int32_t token = t.first_token + params.group.quotient(t.row_begin);
#pragma unroll 1
        for (int32_t slice = 0; slice < kTile.num_slices(); ++slice) {
          tma_load(smem + kSmem.q + rings.at_q.slot * kTile.bytes() + slice * kTile.slice_stride(),
                   params.q_map, full, slice * kTile.slice_columns(),
                   t.kv_head * params.group.divisor, token);
        }
      } else {
        mbarrier_arrive(full);
      }
    }
    rings.at_q.advance(rings.q);
  }

  /// The next tile of the CTA's list into the slot that is returned. Head by head, not item by
  /// item: all CTAs are then at about the same KV head, whose keys and values stay in the L2
  /// (docs/kernels/prefill.md).
  __device__ __forceinline__ int32_t decode() {
    const int32_t slot = next_slot;
    WgmmaTile& tile = tiles[slot];
    if (++next_slot == AttentionWgmmaSmem::num_tiles(spec)) next_slot = 0;
    const int32_t group = static_cast<int32_t>(blockIdx.x) / params.head_lanes;
    const int32_t lane = static_cast<int32_t>(blockIdx.x) % params.head_lanes;
    const int32_t end = params.args.work_indptr[group + 1];
    for (;;) {
      if (next_item >= end) {
        next_item = params.args.work_indptr[group];
        if (next_item == end) next_head = params.heads_per_lane;
        ++next_head;
      }
      if (next_head >= params.heads_per_lane) {
        if (thread == 0) tile.num_blocks = -1;
        break;
      }
      const WorkItem& item = params.args.items[next_item++];
      if (next_head < item.head_begin || next_head >= item.head_end) continue;
      if (thread == 0) make_tile<spec>(params, item, lane, next_head, tile);
      break;
    }
    if constexpr (spec.gather) {
      named_barrier_sync(WgmmaBarriers::producers, 128);
    } else {
      __syncwarp();
    }
    return slot;
  }

  /// The box of a tile's first block, which is the rightmost.
  __device__ __forceinline__ Box first_box(const WgmmaTile& t) const {
    return find_box(t, t.key_begin + (t.num_blocks - 1) * spec.kv_tile);
  }

  /// A tile's blocks from right to left; K runs one block ahead of V, as the consumers ask for
  /// them. With kQueriesAhead the tile that follows is announced behind the second block, where its
  /// queries have a slot of their own, its first K comes before this tile's last V, and its slot is
  /// returned.
  __device__ __forceinline__ int32_t run_tile(const WgmmaTile& t) {
    int32_t following = 0;
    int32_t key = t.key_begin + (t.num_blocks - 1) * spec.kv_tile;
#pragma unroll 1
    for (int32_t i = 0; i < t.num_blocks; ++i) {
      const Box box = next_k;
      key -= spec.kv_tile;
      if (i + 1 < t.num_blocks) next_k = find_box(t, key);
      load_block<false>(t.kv_head, box);
      if (next_v_head >= 0) load_block<true>(next_v_head, next_v);
      if (!kQueriesAhead && i == 0) announce(t);
      next_v = box;
      next_v_head = t.kv_head;
      if (kQueriesAhead && i == min_of(1, t.num_blocks - 1)) following = announce_next();
    }
    if (kQueriesAhead && t.num_blocks == 0) following = announce_next();
    // Before an empty tile and the end, the consumers finish this one.
    if (!kQueriesAhead || tiles[following].num_blocks <= 0) {
      if (next_v_head >= 0) load_block<true>(next_v_head, next_v);
      next_v_head = -1;
    }
    if (kQueriesAhead && tiles[following].num_blocks > 0) next_k = first_box(tiles[following]);
    return following;
  }

  __device__ __forceinline__ int32_t announce_next() {
    const int32_t slot = decode();
    announce(tiles[slot]);
    return slot;
  }

  __device__ __forceinline__ void begin() {
    next_item = params.args.work_indptr[static_cast<int32_t>(blockIdx.x) / params.head_lanes];
  }

  __device__ __forceinline__ void run() {
    if (thread == 0) {
      tma_prefetch_map(params.q_map);
      tma_prefetch_map(params.k_map);
      tma_prefetch_map(params.v_map);
    }
    begin();
    if constexpr (kQueriesAhead) {
      int32_t slot = announce_next();
      if (tiles[slot].num_blocks > 0) next_k = first_box(tiles[slot]);
      while (tiles[slot].num_blocks >= 0) slot = run_tile(tiles[slot]);
    } else {
      for (;;) {
        const WgmmaTile& t = tiles[decode()];
        if (t.num_blocks <= 0) announce(t);
        if (t.num_blocks < 0) break;
        if (t.num_blocks > 0) next_k = first_box(t);
        run_tile(t);
      }
    }
  }
};

}  // namespace weft
