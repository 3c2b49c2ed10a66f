// SPDX-License-Identifier: Apache-2.0
// VerifySpec: everything about verify that is fixed before it runs. Made by select.
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/core/unit.h"
#include "kernels/tile/row_slices.h"

namespace weft {

inline constexpr int32_t kMostDrafts = 1024;

struct VerifySpec {
  RowUnit unit = RowUnit::cpu_scalar;
  DType dtype = DType::f32;

  bool operator==(const VerifySpec&) const = default;
};

/// The kernel on a GPU, some CTAs a request.
struct VerifyRowSpec {
  DType dtype = DType::f32;
  bool tree = false;
  int32_t vec = 1;  // elements of an access
  RowSlices slices;

  bool operator==(const VerifyRowSpec&) const = default;
};

}  // namespace weft
