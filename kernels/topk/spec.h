// SPDX-License-Identifier: Apache-2.0
// TopkSpec: everything about a topk kernel that is fixed before it runs. Made by select from a
// config and a target; names the code that runs.
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/core/unit.h"
#include "kernels/tile/row_slices.h"

namespace weft {

inline constexpr int32_t kMostTopk = 4096;

struct TopkSpec {
  RowUnit unit = RowUnit::cpu_scalar;
  DType dtype = DType::f32;
  bool sorted = false;

  bool operator==(const TopkSpec&) const = default;
};

/// The kernel on a GPU, some CTAs a row.
struct TopkRowSpec {
  DType dtype = DType::f32;
  bool sorted = false;
  int32_t vec = 1;   // elements of an access
  int32_t list = 0;  // values a CTA may list of a row that passes by; 0: rows are searched
  RowSlices slices;

  bool operator==(const TopkRowSpec&) const = default;
};

/// Values of a row that passes a list by, in each CTA: a bit of shared memory each.
inline constexpr int32_t kMostListedSlice = 1 << 17;

/// Values a CTA may list for the `k` largest: a floor from a sample lets 1.2 to 1.8 k pass.
WEFT_HD constexpr int32_t topk_list(int32_t k) { return k <= 2048 ? 4096 : 8192; }

}  // namespace weft
