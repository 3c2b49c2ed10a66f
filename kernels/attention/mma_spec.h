// SPDX-License-Identifier: Apache-2.0
// AttentionMmaSpec: what is fixed at compile time of the attention kernel on mma.sync, the general
// one: decode, short queries, any query length on any chip since sm_80. Everything else of a config
// (group, heads, pages, layout, window, schedule) is a run-time value.
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/core/variant.h"

namespace weft {

/// The warps of a CTA form a grid: row_warps() of 16 packed query rows each, times key_warps() that
/// share out the keys. Decode is 1 x 4, a prompt chunk 4 x 1. The row_warps that see the same keys
/// are a team: they fill and read one ring together.
struct AttentionMmaSpec {
  DType dtype_q = DType::bf16;
  DType dtype_kv = DType::bf16;
  DType dtype_o = DType::bf16;
  int32_t head_dim_qk = 0;  // as the tensors have them
  int32_t head_dim_vo = 0;
  MaskMode mask = MaskMode::none;
  Rope rope;
  int32_t qo_tile = 16;       // packed query rows of a CTA: 16 * row_warps
  int32_t num_stages = 3;     // of a ring
  int32_t num_warps = 4;      // a multiple of row_warps
  int32_t ctas_per_sm = 2;    // that shared memory and registers are sized for
  bool fixed_splits = false;  // batch-invariant: a state for every split_tokens keys

  WEFT_HD constexpr int32_t row_warps() const { return qo_tile / 16; }
  WEFT_HD constexpr int32_t key_warps() const { return num_warps / row_warps(); }

  /// What products are made of. A pair of bytes becomes f16 in one instruction, bf16 in four: with
  /// those, FP8 keys ran at 0.62 of the roof. bf16 queries take a power of two off each row.
  WEFT_HD constexpr DType compute() const { return is_fp8(dtype_kv) ? DType::f16 : dtype_q; }
  WEFT_HD constexpr bool scales_queries() const { return compute() != dtype_q; }

  bool operator==(const AttentionMmaSpec&) const = default;
};

}  // namespace weft
