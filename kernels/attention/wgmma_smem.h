// SPDX-License-Identifier: Apache-2.0
// AttentionWgmmaSmem: where the wgmma kernel keeps what in shared memory, for the host that asks
// for the bytes and the kernel that uses them. WgmmaTile: what producer and consumers of a CTA tell
// each other of a tile.
#pragma once

#include "kernels/attention/wgmma_spec.h"
#include "kernels/tile/swizzled_tile.h"

namespace weft {

/// One head of one work item. The keys of a tile are walked from `key_last` down to `key_begin` in
/// blocks; blocks that begin in [body_begin, body_end) need no mask.
struct WgmmaTile {
  int32_t num_blocks;  // -1: no more tiles
  int32_t key_begin;   // a multiple of kv_tile
  int32_t key_end;     // of the item: keys beyond are not looked at
  int32_t body_begin;
  int32_t body_end;
  int32_t request;
  int32_t first_token;  // of the request, in q and o
  int32_t qo_len;
  int32_t kv_len;
  int32_t first_kv;   // of the request: its first page id in kv_indices, or its first token
  int32_t row_begin;  // packed
  int32_t rows;
  int32_t kv_head;
  int32_t lane;
  int32_t partial_row;  // -1: whole
  int32_t merge;
  float scale;  // raw dot product to natural logit
};

/// Named barriers of the kernel: by consumer warpgroup its turn at the tensor cores and its own,
/// and that of the producers, where they are more than one warp.
struct WgmmaBarriers {
  static constexpr uint32_t turn = 1;  // + warpgroup
  static constexpr uint32_t own = 4;   // + warpgroup
  static constexpr uint32_t producers = 7;
};

/// Byte offsets from a base aligned to 1024. A slot of K or V is a SwizzledTile.
struct AttentionWgmmaSmem {
  int32_t q;
  int32_t k;
  int32_t v;
  int32_t tiles;
  int32_t q_ring;
  int32_t k_ring;
  int32_t v_ring;
  int32_t q_turned;  // RoPE: a barrier for each slot of q, and of k: its rows have been turned
  int32_t k_turned;
  int32_t turns;         // RoPE: uint64 of each pair
  int32_t steps;         // RoPE: cos and sin of each pair's turn
  int32_t last_arrival;  // a word for each consumer warpgroup
  int32_t bytes;

  /// Slots for WgmmaTile: being closed, being computed or waiting with its queries, being decoded,
  /// and one more: the producer writes tile i when it last saw the queries of i - 1 - num_q_stages
  /// released, and while that tile's only block is computed the one before is still being closed.
  WEFT_HD static constexpr int32_t num_tiles(const AttentionWgmmaSpec& s) {
    return 3 + s.num_q_stages;
  }
  WEFT_HD static constexpr SwizzledTile q_tile(const AttentionWgmmaSpec& s) {
    return {s.tile_rows(), s.head_dim_qk, 128};
  }
  WEFT_HD static constexpr SwizzledTile k_tile(const AttentionWgmmaSpec& s) {
    return {s.kv_tile, s.head_dim_qk, 128, s.banded};
  }
  WEFT_HD static constexpr SwizzledTile v_tile(const AttentionWgmmaSpec& s) {
    return {s.kv_tile, s.head_dim_vo, 128, s.banded};
  }

  WEFT_HD static constexpr AttentionWgmmaSmem of(const AttentionWgmmaSpec& s) {
    AttentionWgmmaSmem m{};
    m.k = m.q + s.num_q_stages * q_tile(s).bytes();
    m.v = m.k + s.num_stages * k_tile(s).bytes();
    m.tiles = m.v + s.num_stages * v_tile(s).bytes();
    m.q_ring = round_up(m.tiles + num_tiles(s) * static_cast<int32_t>(sizeof(WgmmaTile)), 16);
    m.k_ring = m.q_ring + 16 * s.num_q_stages;
    m.v_ring = m.k_ring + 16 * s.num_stages;
    m.q_turned = m.v_ring + 16 * s.num_stages;
    m.k_turned = m.q_turned + (s.rotates() ? 8 * s.num_q_stages : 0);
    m.turns = round_up(m.k_turned + (s.rotates() ? 8 * s.num_stages : 0), 16);
    m.steps = m.turns + (s.rotates() ? s.head_dim_qk / 2 * 8 : 0);
    m.last_arrival = round_up(m.steps + m.steps - m.turns, 16);
    m.bytes = m.last_arrival + 16;
    return m;
  }
};

}  // namespace weft
