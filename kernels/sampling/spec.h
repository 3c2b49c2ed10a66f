// SPDX-License-Identifier: Apache-2.0
// SamplingSpec: everything about a sampling kernel that is fixed before it runs. Made by select
// from a config and a target; names the code that runs.
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/core/unit.h"
#include "kernels/tile/row_slices.h"

namespace weft {

struct SamplingSpec {
  RowUnit unit = RowUnit::cpu_scalar;
  DType dtype = DType::f32;
  int32_t vocab_size = 0;
  bool probs = false;
  bool joint = false;

  bool operator==(const SamplingSpec&) const = default;
};

/// What a kernel does with the cut of a row.
enum class SamplingJob : uint8_t { draw = 0, filter = 1 };

/// The kernel on a GPU, some CTAs a row.
struct SamplingRowSpec {
  DType dtype = DType::f32;
  DType dtype_out = DType::f32;  // of what `filter` writes
  SamplingJob job = SamplingJob::draw;
  bool probs = false;
  int32_t vec = 1;  // elements of an access
  RowSlices slices;

  bool operator==(const SamplingRowSpec&) const = default;
};

}  // namespace weft
