// SPDX-License-Identifier: Apache-2.0
// One warpgroup's 64 rows of a tile against the tile's keys, right to left:
//
//   tensor cores  | QK(i) PV(i-1) |  the other warpgroup's  | QK(i+1) PV(i) |
//   this group    |  wait QK(i)   softmax(i)  wait PV(i-1)  |
//
// QK(i) and PV(i-1) are issued together in this warpgroup's turn; softmax(i) runs in the shadow of
// PV(i-1) and of the other warpgroups' products, who have their turn then. Turns go round by named
// barriers. docs/kernels/prefill.md draws it and says what was tried.
#pragma once

#include "kernels/attention/wgmma_produce.cuh"
#include "kernels/attention/wgmma_softmax.cuh"
#include "kernels/ptx/named_barrier.cuh"
#include "kernels/ptx/shared.cuh"
#include "kernels/ptx/wgmma.cuh"
#include "kernels/tile/wgmma_operand.h"

namespace weft {

template <AttentionWgmmaSpec spec>
struct WgmmaAttend {
  static constexpr AttentionWgmmaSmem kSmem = AttentionWgmmaSmem::of(spec);
  static constexpr int32_t kColumns =  // of o in registers: the next shape of Wgmma
      spec.head_dim_vo <= 64    ? 64
      : spec.head_dim_vo <= 96  ? 96
      : spec.head_dim_vo <= 128 ? 128
      : spec.head_dim_vo <= 192 ? 192
                                : 256;

  const AttentionWgmmaParams& params;
  const uint32_t smem;
  const WgmmaTile* const tiles;  // in shared memory
  const int32_t warpgroup;
  WgmmaRings rings;

  // Of the tile, out of shared memory.
  int32_t body_begin, body_end;
  float linear_scale;  // raw dot product to base-2 logit, in the body

  // State of a tile.
  float o[kColumns / 2];
  WgmmaRows rows;

  // Between two blocks.
  float s[spec.kv_tile / 2];     // dots, then weights
  uint32_t p[spec.kv_tile / 4];  // weights as A operand

  __device__ __forceinline__ void release(const Ring& ring, RingPosition& at) {
    if (threadIdx.x % 32 == 0) mbarrier_arrive(ring.empty(at.slot));
    at.advance(ring);
  }

  /// By every lane: this is also what lets the words of tiles be written again that it has read
  /// (AttentionWgmmaSmem::num_tiles). racecheck follows arrivals, and not one for a whole warp.
  __device__ __forceinline__ void release_queries() {
    mbarrier_arrive(rings.q.empty(rings.at_q.slot));
    rings.at_q.advance(rings.q);
  }

  /// Gathered rows are ordinary writes, which the tensor cores see behind a fence.
  __device__ __forceinline__ void await(const Ring& ring, const RingPosition& at) {
    wait_full(ring, at);
    if constexpr (spec.gather) fence_async_proxy();
  }

  __device__ __forceinline__ void await_keys() {
    if constexpr (spec.rotates()) {
      mbarrier_wait(rings.k_turned + 8 * static_cast<uint32_t>(rings.at_k.slot), rings.at_k.parity);
      if constexpr (spec.gather) fence_async_proxy();
    } else {
      await(rings.k, rings.at_k);
    }
  }

  __device__ __forceinline__ void await_queries() {
    if constexpr (spec.rotates()) {
      mbarrier_wait(rings.q_turned + 8 * static_cast<uint32_t>(rings.at_q.slot), rings.at_q.parity);
    } else {
      wait_full(rings.q, rings.at_q);
    }
  }

  /// Waits for this warpgroup's turn at the tensor cores; then hands the turn on.
  __device__ __forceinline__ void take_turn() {
    if (spec.num_consumers > 1) named_barrier_sync(WgmmaBarriers::turn + warpgroup, 256);
  }
  __device__ __forceinline__ void pass_turn() {
    if (spec.num_consumers == 1) return;
    const int32_t next = warpgroup + 1 == spec.num_consumers ? 0 : warpgroup + 1;
    named_barrier_arrive(WgmmaBarriers::turn + next, 256);
  }

  /// s = Q K^T of the block at the K ring's position, issued.
  __device__ __forceinline__ void issue_dots() {
    constexpr SwizzledTile kQ = kSmem.q_tile(spec);
    constexpr SwizzledTile kK = kSmem.k_tile(spec);
    const uint64_t q = AlongRows::descriptor(
        kQ, smem + kSmem.q +
                static_cast<uint32_t>(rings.at_q.slot * kQ.bytes() + warpgroup * 64 * 128));
    const uint64_t k = AlongRows::descriptor(
        kK, smem + kSmem.k + static_cast<uint32_t>(rings.at_k.slot * kK.bytes()));
#pragma unroll
    for (int32_t step = 0; step < spec.head_dim_qk / 16; ++step) {
      Wgmma<spec.kv_tile>::template from_smem<spec.dtype, 0>(
          s, q + wgmma_offset(AlongRows::k_step(kQ, step)),
          k + wgmma_offset(AlongRows::k_step(kK, step)), step > 0);
    }
    wgmma_commit();
  }

  /// o += P V of the block at the V ring's position, issued.
  __device__ __forceinline__ void issue_sums() {
    constexpr SwizzledTile kV = kSmem.v_tile(spec);
    const uint64_t v = AcrossRows::descriptor(
        kV, smem + kSmem.v + static_cast<uint32_t>(rings.at_v.slot * kV.bytes()));
#pragma unroll
    for (int32_t step = 0; step < spec.kv_tile / 16; ++step) {
      Wgmma<kColumns>::template from_registers<spec.dtype, 1>(
          o, p + 4 * step, v + wgmma_offset(AcrossRows::k_step(kV, step)), 1);
    }
    wgmma_commit();
  }

  /// Softmax of the block; the body of a tile passes the branch and pays no more for masks.
  __device__ __forceinline__ bool weigh(const WgmmaTile& t, int32_t key, float (&factor)[2]) {
    float scale = linear_scale;
    if (key < body_begin || key >= body_end) {
      if (!is_linear(params.args, t)) {
        map_block(params, t, warpgroup, key, s);
        scale = 1.0f;
      }
      mask_block<spec>(params, t, warpgroup, key, s);
    }
    return softmax_block(scale, s, rows, factor);
  }

  /// Zeroes the V rows past the request's end: their weights are 0, but 0 * NaN is not. Every
  /// warpgroup does it for itself, all with the same zeros.
  __device__ __forceinline__ void clear_tail(const WgmmaTile& t, int32_t key) {
    constexpr SwizzledTile kV = kSmem.v_tile(spec);
    await(rings.v, rings.at_v);
    const int32_t first = t.kv_len - key;
    const uint32_t slot = smem + kSmem.v + static_cast<uint32_t>(rings.at_v.slot * kV.bytes());
    const int32_t thread = static_cast<int32_t>(threadIdx.x % 128);
#pragma unroll 1
    for (int32_t slice = 0; slice < kV.num_slices(); ++slice) {
#pragma unroll 1
      for (int32_t row = first + thread / 8; row < spec.kv_tile; row += 16) {
        const int32_t at = kV.at(row, slice * kV.slice_columns() + thread % 8 * 8);
        store_shared(slot + static_cast<uint32_t>(at), make_uint4(0, 0, 0, 0));
      }
    }
    fence_async_proxy();
    named_barrier_sync(WgmmaBarriers::own + warpgroup, 128);
  }

  /// Dots and weights of block `key`, and PV of the block before unless it is the first that is
  /// open; PV still runs at the end. K of the block is there, and that of the next of the tile when
  /// it ends. Returns whether the accumulator must be multiplied by `factor`.
  template <bool kFirst>
  __device__ __forceinline__ bool step(const WgmmaTile& t, int32_t key, float (&factor)[2]) {
    take_turn();
    pin_registers(s);
    pin_registers(o);
    wgmma_fence();
    issue_dots();
    if constexpr (!kFirst) {
      await(rings.v, rings.at_v);
      wgmma_fence();  // again: ptxas asks for one in every stretch without a branch (C7519)
      issue_sums();
    }
    pass_turn();
    wgmma_wait<kFirst ? 0 : 1>();
    pin_registers(s);
    release(rings.k, rings.at_k);
    if (key == t.key_begin) release_queries();
    const bool raised = weigh(t, key, factor);
    // The branch of this wait keeps ptxas from waiting for PV ahead of the softmax.
    pin_registers(s);
    if (key > t.key_begin) await_keys();
    return raised;
  }

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (float& x : o) x = 0.0f;
  }

  /// The first key of a tile's first block, which is the rightmost, once its keys are there.
  __device__ __forceinline__ int32_t enter(const WgmmaTile& t) {
    body_begin = t.body_begin;
    body_end = t.body_end;
    linear_scale = t.scale * kWgmmaLog2E;
    await_keys();
    return t.key_begin + (t.num_blocks - 1) * spec.kv_tile;
  }

  /// A further block: the state of all before it.
  __device__ __forceinline__ void next_block(const WgmmaTile& t, int32_t key) {
    float factor[2];
    const bool raised = step<false>(t, key, factor);
    wgmma_wait<0>();
    pin_registers(o);
    release(rings.v, rings.at_v);
    if (raised) rescale_rows(o, factor);
    pack_fragment<spec.dtype>(s, p);
  }

  /// PV of the last block.
  __device__ __forceinline__ void last_block() {
    await(rings.v, rings.at_v);
    pin_registers(o);
    wgmma_fence();
    issue_sums();
    wgmma_wait<0>();
    pin_registers(o);
    release(rings.v, rings.at_v);
  }

  /// All tiles of the CTA; finish.write(tile, rows, o) takes the state of each: o unnormalised,
  /// rows.d as parts of four lanes. The first dots of a tile are issued with the last PV of the
  /// tile before, whose state is then written while the tensor cores do the other warpgroup's
  /// products.
  template <class Finish>
  __device__ __forceinline__ void run(const Finish& finish) {
    // With one slot for queries, those of the next tile come too late for that.
    constexpr bool kGoesOn = spec.num_q_stages > 1;
    if (warpgroup == spec.num_consumers - 1) pass_turn();  // the first turn is group 0's
    int32_t last = -1;                                     // the tile that is not yet written
    bool last_sums = false;                                // nor its last PV issued
    for (int32_t slot = 0;; slot = slot + 1 == kSmem.num_tiles(spec) ? 0 : slot + 1) {
      await_queries();
      const WgmmaTile& t = tiles[slot];
      const int32_t num_blocks = t.num_blocks;
      int32_t key = 0;
      if (num_blocks > 0) key = enter(t);
      const bool goes_on = kGoesOn && last_sums && num_blocks > 0;
      float factor[2];
      if (kGoesOn && last >= 0) {
        const WgmmaRows before = rows;
        if (goes_on) {
          rows = {};
          step<false>(t, key, factor);
          wgmma_wait<0>();
          pin_registers(o);
          release(rings.v, rings.at_v);
          pack_fragment<spec.dtype>(s, p);
        } else if (last_sums) {
          last_block();
        }
        finish.write(tiles[last], before, o);
      }
      if (num_blocks < 0) break;
      clear();
      if (!goes_on) {
        rows = {};
        if (num_blocks > 0) {
          step<true>(t, key, factor);
          pack_fragment<spec.dtype>(s, p);
        } else {
          release_queries();
        }
      }
      if constexpr (!spec.gather) {  // which writes zeros there
        if (num_blocks > 0 && t.kv_len - key < spec.kv_tile) clear_tail(t, key);
      }
      for (key -= spec.kv_tile; key >= t.key_begin; key -= spec.kv_tile) next_block(t, key);
      last = slot;
      last_sums = num_blocks > 0;
      if constexpr (!kGoesOn) {
        if (last_sums) last_block();
        finish.write(t, rows, o);
      }
    }
  }
};

}  // namespace weft
