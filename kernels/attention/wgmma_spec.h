// SPDX-License-Identifier: Apache-2.0
// AttentionWgmmaSpec: what is fixed at compile time of the attention kernel on wgmma and the bulk
// copy engine (sm_90a), for items with many query rows. Group, heads, pages, strides, window and
// schedule are run-time values. What it does not do stays with kernels/attention/mma_spec.h.
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/core/variant.h"

namespace weft {

struct AttentionWgmmaSpec {
  DType dtype = DType::bf16;    // of q, k and v: bf16 or f16
  DType dtype_o = DType::bf16;  // bf16, f16 or f32
  int32_t head_dim_qk = 0;      // multiples of 16, at most 256
  int32_t head_dim_vo = 0;
  MaskMode mask = MaskMode::none;
  int32_t num_consumers = 2;  // warpgroups of 64 packed query rows
  int32_t kv_tile = 128;      // keys of a stage: 64, 80, 96 or 128
  int32_t num_stages = 2;     // of the K ring and of the V ring
  int32_t num_q_stages = 1;   // 2: the queries of the next tile come while this one is computed
  bool gather = false;        // keys by copies of rows, for pages of any size; else by boxes
  int32_t num_producers = 1;  // warpgroups. The second copies gathered values, or turns for RoPE
  bool banded = false;  // paged, head dimensions in steps of 64: a box brings keys with all columns
  Rope rope;            // of q and k, turned in shared memory by warps of the producer

  WEFT_HD constexpr int32_t num_threads() const { return 128 * (num_consumers + num_producers); }
  WEFT_HD constexpr bool rotates() const { return rope.mode != RopeMode::none; }
  WEFT_HD constexpr int32_t tile_rows() const { return 64 * num_consumers; }
  bool operator==(const AttentionWgmmaSpec&) const = default;
};

/// Packed query rows of a tile (ScheduleSpec::qo_tile): whole tokens only, so that one box of the
/// copy engine is the tile. REQUIRES: group_size <= spec.tile_rows().
WEFT_HD constexpr int32_t wgmma_qo_tile(const AttentionWgmmaSpec& spec, int32_t group_size) {
  return spec.tile_rows() / group_size * group_size;
}

}  // namespace weft
