// SPDX-License-Identifier: Apache-2.0
// AppendSpec: everything about an append kernel that is fixed before it runs. Made by select from a
// config and a target; names the code that runs.
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/core/unit.h"
#include "kernels/core/variant.h"
#include "kernels/tile/head_rows.h"

namespace weft {

struct AppendSpec {
  RowUnit unit = RowUnit::cpu_scalar;
  DType dtype = DType::bf16;
  DType dtype_kv = DType::bf16;
  int32_t num_kv_heads = 0;
  int32_t num_qo_heads = 0;  // 0 = no q
  int32_t head_dim_qk = 0;
  int32_t head_dim_vo = 0;
  int32_t page_size = 0;
  Rope rope;  // dim filled in
  DType dtype_q_out = DType::bf16;

  bool operator==(const AppendSpec&) const = default;
};

/// The kernel on a GPU, a warp a token. Heads, pages, layout and frequencies are run-time values;
/// the rest is what loops unroll over.
struct AppendWarpSpec {
  DType dtype = DType::bf16;
  DType dtype_kv = DType::bf16;
  int32_t head_dim_qk = 0;
  int32_t head_dim_vo = 0;
  int32_t rotated_dim = 0;  // 0 with mode none
  RopeMode mode = RopeMode::none;
  bool has_q = false;
  bool normed = false;  // heads of k and q are normalised
  DType dtype_q_out = DType::bf16;
  int32_t vec = 1;  // elements of an access: kernels/tile/head_rows.cuh
  int32_t unroll = 2;
  int32_t num_threads = 128;
  int32_t ctas_per_sm = 8;  // bounds registers

  bool operator==(const AppendWarpSpec&) const = default;

  WEFT_HD constexpr HeadRowSpec key_rows() const {
    return {dtype, dtype_kv, head_dim_qk, rotated_dim, mode, vec, unroll};
  }
  WEFT_HD constexpr HeadRowSpec query_rows() const {
    return {dtype, dtype_q_out, head_dim_qk, rotated_dim, mode, vec, unroll};
  }
  WEFT_HD constexpr HeadRowSpec value_rows() const {
    return {dtype, dtype_kv, head_dim_vo, 0, RopeMode::none, vec, unroll};
  }
};

}  // namespace weft
