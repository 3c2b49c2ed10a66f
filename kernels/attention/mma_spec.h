// SPDX-License-Identifier: Apache-2.0
// AttentionMmaSpec: what is fixed at compile time of the attention kernel on mma.sync, the general
// one: decode, short queries, any query length on any chip since sm_80. Everything else of a config
// (group, heads, pages, layout, window, schedule) is a run-time value.
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/core/variant.h"

namespace weft {

struct AttentionMmaSpec {
  DType dtype_q = DType::bf16;
  DType dtype_kv = DType::bf16;
  DType dtype_o = DType::bf16;
  int32_t head_dim_qk = 0;  // as the tensors have them
  int32_t head_dim_vo = 0;
  MaskMode mask = MaskMode::none;
  Rope rope;
  int32_t qo_tile = 16;    // packed query rows of a CTA, a multiple of 16
  int32_t kv_tile = 64;    // keys of a pipeline stage
  int32_t num_stages = 3;  // of the K and V ring
  int32_t num_warps = 4;
  int32_t ctas_per_sm = 2;

  bool operator==(const AttentionMmaSpec&) const = default;
};

}  // namespace weft
