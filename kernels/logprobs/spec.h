// SPDX-License-Identifier: Apache-2.0
// LogprobsSpec: everything about logprobs that is fixed before it runs. Made by select.
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/core/unit.h"
#include "kernels/tile/row_slices.h"

namespace weft {

inline constexpr int32_t kMostLogprobs = 128;

struct LogprobsSpec {
  RowUnit unit = RowUnit::cpu_scalar;
  DType dtype = DType::f32;

  bool operator==(const LogprobsSpec&) const = default;
};

/// The kernel on a GPU, some CTAs a row.
struct LogprobsRowSpec {
  DType dtype = DType::f32;
  int32_t vec = 1;  // elements of an access
  RowSlices slices;

  bool operator==(const LogprobsRowSpec&) const = default;
};

}  // namespace weft
