// SPDX-License-Identifier: Apache-2.0
// VerifySpec: everything about verify that is fixed before it runs. Made by select.
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/core/unit.h"

namespace weft {

struct VerifySpec {
  RowUnit unit = RowUnit::cpu_scalar;
  DType dtype = DType::f32;

  bool operator==(const VerifySpec&) const = default;
};

}  // namespace weft
