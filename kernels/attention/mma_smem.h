// SPDX-License-Identifier: Apache-2.0
// AttentionMmaSmem: where everything lies in the shared memory of a CTA of the mma.sync attention
// kernel, for the host that asks for the bytes and the kernel that uses them.
#pragma once

#include "kernels/attention/mma_spec.h"
#include "kernels/tile/rows.h"

namespace weft {

/// Byte offsets, each a multiple of 16. The ring is stage after stage, a stage slab after slab: the
/// slab of a warp holds the keys it loads itself, K rows then V rows. At the end of an item the
/// stage that was read last is free, and holds the warps' accumulators until they are joined.
struct AttentionMmaSmem {
  int32_t slab_keys;  // 16, or 32 of one byte, so that a slab is never smaller than an accumulator
  TileRows q_rows;
  TileRows k_rows;
  TileRows v_rows;
  int32_t slab_bytes;
  int32_t stage_bytes;
  int32_t query_bytes;  // of a tile
  int32_t q;            // [num_stages] tiles, for the segments that the ring is ahead
  int32_t sums;         // float [num_warps][16][2]: m and d of each warp's rows
  int32_t total;        // fixed_splits: the state of a whole tile so far, o and then sums
  int32_t turns;        // RoPE: uint64 of every two columns of k, 0 where nothing turns
  int32_t flag;         // int32: this CTA merges
  int32_t scales;       // scales_queries: float [qo_tile], what a row of queries was divided by
  int32_t bytes;

  WEFT_HD static constexpr AttentionMmaSmem of(const AttentionMmaSpec& s) {
    AttentionMmaSmem m{};
    m.slab_keys = 32 / size_of(s.dtype_kv);
    m.q_rows = TileRows::of(round_up(s.head_dim_qk, 16) * 2);
    m.k_rows = TileRows::of(round_up(s.head_dim_qk, 16) * size_of(s.dtype_kv));
    m.v_rows = TileRows::of(round_up(s.head_dim_vo, 16) * size_of(s.dtype_kv));
    const int32_t accumulator = 16 * round_up(s.head_dim_vo, 16) * 4;
    m.slab_bytes = max_of(m.slab_keys * (m.k_rows.stride + m.v_rows.stride), accumulator);
    m.stage_bytes = s.num_warps * m.slab_bytes;
    m.q = s.num_stages * m.stage_bytes;
    m.query_bytes = s.qo_tile * m.q_rows.stride;
    m.sums = m.q + s.num_stages * m.query_bytes;
    m.total = m.sums + s.num_warps * 16 * 2 * 4;
    m.turns = m.total;
    if (s.fixed_splits) m.turns += s.row_warps() * accumulator + s.qo_tile * 2 * 4;
    m.flag = m.turns;
    if (s.rope.mode != RopeMode::none) m.flag += round_up(s.head_dim_qk, 16) / 2 * 8;
    m.scales = m.flag + 16;
    m.bytes = m.scales + (s.scales_queries() ? s.qo_tile * 4 : 0);
    return m;
  }
};

/// The same as constants of a kernel. Rows come from functions: device code cannot refer to a host
/// object, even a constant one.
template <AttentionMmaSpec spec>
struct MmaLayout {
  static constexpr AttentionMmaSmem kSmem = AttentionMmaSmem::of(spec);

  WEFT_HD static constexpr TileRows q_rows() {
    constexpr TileRows rows = kSmem.q_rows;
    return rows;
  }
  WEFT_HD static constexpr TileRows k_rows() {
    constexpr TileRows rows = kSmem.k_rows;
    return rows;
  }
  WEFT_HD static constexpr TileRows v_rows() {
    constexpr TileRows rows = kSmem.v_rows;
    return rows;
  }
};

}  // namespace weft
