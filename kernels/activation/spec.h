// SPDX-License-Identifier: Apache-2.0
// ActivationSpec: everything about an activation kernel that is fixed before it runs. Made by
// select from a config and a target; names the code that runs.
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/core/unit.h"

namespace weft {

enum class ActivationKind : uint8_t {
  silu = 0,   // x / (1 + e^-x)
  gelu,       // x * (1 + erf(x / sqrt 2)) / 2
  gelu_tanh,  // x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2
};

WEFT_HD constexpr const char* name_of(ActivationKind k) {
  switch (k) {
    case ActivationKind::silu:
      return "silu";
    case ActivationKind::gelu:
      return "gelu";
    case ActivationKind::gelu_tanh:
      return "gelu_tanh";
  }
  return "invalid";
}

struct ActivationSpec {
  RowUnit unit = RowUnit::cpu_scalar;
  DType dtype = DType::bf16;
  DType dtype_out = DType::bf16;
  ActivationKind kind = ActivationKind::silu;
  int32_t hidden = 0;

  bool operator==(const ActivationSpec&) const = default;
};

/// The kernel on a GPU, a thread for one vector of the output. Shapes are run-time values.
struct ActivationWarpSpec {
  DType dtype = DType::bf16;
  DType dtype_out = DType::bf16;
  ActivationKind kind = ActivationKind::silu;
  int32_t vec = 1;  // elements of an access
  int32_t num_threads = 256;
  int32_t ctas_per_sm = 6;  // bounds registers

  bool operator==(const ActivationWarpSpec&) const = default;
};

}  // namespace weft
