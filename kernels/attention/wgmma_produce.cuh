// SPDX-License-Identifier: Apache-2.0
// The producer of the wgmma kernel: one warp that walks the CTA's work and keeps the rings of K and
// V full, running ahead of the consumers across tiles, items and requests. It decodes items, looks
// pages up and issues boxes; it never sees an element.
#pragma once

#include "kernels/attention/wgmma_tile.cuh"
#include "kernels/ptx/tma.cuh"
#include "kernels/tile/ring.cuh"

namespace weft {

/// Where the rings of a CTA stand in shared memory, and how far one side has walked.
struct WgmmaRings {
  Ring q, k, v;
  RingPosition at_q, at_k, at_v;

  static __device__ __forceinline__ WgmmaRings at(const AttentionWgmmaSpec& spec, uint32_t smem) {
    const AttentionWgmmaSmem m = AttentionWgmmaSmem::of(spec);
    WgmmaRings r;
    r.q = {smem + m.q_ring, spec.num_q_stages};
    r.k = {smem + m.k_ring, spec.num_stages};
    r.v = {smem + m.v_ring, spec.num_stages};
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
  int32_t num_tiles = 0;  // modulo the slots of `tiles`

  // A decoded tile lives in shared memory on this side too: the producer has few registers.

  /// One block of K or V into the next slot of its ring. A lane issues every 32nd box; a box is a
  /// slice of 64 columns of box_keys keys, and boxes past the request's end are left out.
  template <bool kIsV>
  __device__ __forceinline__ void load_block(const WgmmaTile& t, int32_t key) {
    constexpr SwizzledTile kTile = kIsV ? kSmem.v_tile(spec) : kSmem.k_tile(spec);
    constexpr int32_t kSlices = kTile.num_slices();
    constexpr int32_t kEach = 32 / kSlices;  // boxes of a slice that lanes issue at a time
    const Ring& ring = kIsV ? rings.v : rings.k;
    RingPosition& at = kIsV ? rings.at_v : rings.at_k;
    const TensorMap& map = kIsV ? params.v_map : params.k_map;
    const int32_t rows = params.box_keys;
    const int32_t boxes = ceil_div(min_of(t.kv_len - key, spec.kv_tile), rows);
    const int32_t slice = thread % kSlices;
    int32_t box = thread < kEach * kSlices ? thread / kSlices : boxes;
    int32_t token, page;
    find_box(t, key + box * rows, box < boxes, token, page);  // while the slot is not yet free
    wait_empty(ring, at);
    const uint32_t full = ring.full(at.slot);
    if (thread == 0) mbarrier_arrive_expect(full, kSlices * boxes * rows * kTile.span);
    __syncwarp();
    uint32_t to = smem + (kIsV ? kSmem.v : kSmem.k) + at.slot * kTile.bytes() +
                  slice * kTile.slice_bytes() + box * rows * kTile.span;
#pragma unroll 1
    while (box < boxes) {
      tma_load(to, map, full, slice * kTile.slice_columns(), token, t.kv_head, page);
      box += kEach;
      to += kEach * rows * kTile.span;
      find_box(t, key + box * rows, box < boxes, token, page);
    }
    at.advance(ring);
  }

  /// Where a key lies in the cache; ragged: in its only page.
  __device__ __forceinline__ void find_box(const WgmmaTile& t, int32_t key, bool exists,
                                           int32_t& token, int32_t& page) const {
    token = t.first_kv + key;
    page = 0;
    if (params.args.lengths.page_size == 0 || !exists) return;
    const int32_t index = params.page.quotient(key);
    token = params.page.remainder(key, index);
    page = params.args.kv_indices[t.first_kv + index];
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
          tma_load(smem + kSmem.q + rings.at_q.slot * kTile.bytes() + slice * kTile.slice_bytes(),
                   params.q_map, full, slice * kTile.slice_columns(),
                   t.kv_head * params.group.divisor, token);
        }
      } else {
        mbarrier_arrive(full);
      }
    }
    rings.at_q.advance(rings.q);
    if (++num_tiles == AttentionWgmmaSmem::num_tiles(spec)) num_tiles = 0;
  }

  /// Right to left; K runs one block ahead of V, as the consumers ask for them.
  __device__ __forceinline__ void run_tile(const WgmmaTile& t) {
    int32_t key = t.key_begin + (t.num_blocks - 1) * spec.kv_tile;
#pragma unroll 1
    for (int32_t i = 0; i <= t.num_blocks; ++i, key -= spec.kv_tile) {
      if (i < t.num_blocks) load_block<false>(t, key);
      if (i == 0) announce(t);
      if (i > 0) load_block<true>(t, key + spec.kv_tile);
    }
  }

  __device__ __forceinline__ void run() {
    if (thread == 0) {
      tma_prefetch_map(params.q_map);
      tma_prefetch_map(params.k_map);
      tma_prefetch_map(params.v_map);
    }
    const int32_t worker = static_cast<int32_t>(blockIdx.x);
    const int32_t group = worker / params.head_lanes;
    const int32_t lane = worker % params.head_lanes;
    const int32_t begin = params.args.work_indptr[group];
    const int32_t end = params.args.work_indptr[group + 1];
    // Head by head, not item by item: all CTAs are then at about the same KV head, whose keys and
    // values stay in the L2 (docs/kernels/prefill.md).
#pragma unroll 1
    for (int32_t head = 0; head < params.heads_per_lane; ++head) {
#pragma unroll 1
      for (int32_t i = begin; i < end; ++i) {
        const WorkItem& item = params.args.items[i];
        if (head < item.head_begin || head >= item.head_end) continue;
        WgmmaTile& tile = tiles[num_tiles];
        if (thread == 0) make_tile<spec>(params, item, lane, head, tile);
        __syncwarp();
        run_tile(tile);
      }
    }
    if (thread == 0) tiles[num_tiles].num_blocks = -1;
    __syncwarp();
    announce(tiles[num_tiles]);
  }
};

}  // namespace weft
