// SPDX-License-Identifier: Apache-2.0
// RopeSpec: everything about a rope kernel that is fixed before it runs. Made by select from a
// config and a target; names the code that runs.
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/core/unit.h"
#include "kernels/core/variant.h"

namespace weft {

struct RopeSpec {
  RowUnit unit = RowUnit::cpu_scalar;
  DType dtype = DType::bf16;
  int32_t num_qo_heads = 0;
  int32_t num_kv_heads = 0;
  int32_t head_dim = 0;
  Rope rope;  // dim filled in

  bool operator==(const RopeSpec&) const = default;
};

}  // namespace weft
