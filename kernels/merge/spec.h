// SPDX-License-Identifier: Apache-2.0
// MergeSpec: everything about a merge kernel that is fixed before it runs. Made by select from a
// config and a target; names the code that runs.
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/core/unit.h"

namespace weft {

struct MergeSpec {
  RowUnit unit = RowUnit::cpu_scalar;
  DType dtype = DType::bf16;
  DType dtype_o = DType::bf16;
  int32_t num_heads = 0;
  int32_t head_dim = 0;
  bool lse_base2 = false;

  bool operator==(const MergeSpec&) const = default;
};

}  // namespace weft
