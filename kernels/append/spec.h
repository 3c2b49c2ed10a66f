// SPDX-License-Identifier: Apache-2.0
// AppendSpec: everything about an append kernel that is fixed before it runs. Made by select from a
// config and a target; names the code that runs.
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/core/unit.h"
#include "kernels/core/variant.h"

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

  bool operator==(const AppendSpec&) const = default;
};

}  // namespace weft
