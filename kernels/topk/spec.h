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
  int32_t vec = 1;  // elements of an access
  RowSlices slices;

  bool operator==(const TopkRowSpec&) const = default;
};

}  // namespace weft
