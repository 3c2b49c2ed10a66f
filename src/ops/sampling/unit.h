// SPDX-License-Identifier: Apache-2.0
// The seam between sampling and its CPU code: one table of functions per RowUnit, compiled with
// that unit's flags by cpu_<isa>.cc. Called by cpu.cc; knows one row, never tensors.
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/sampling/params.h"
#include "kernels/sampling/spec.h"

namespace weft {

/// Sample or row `i` of params. `dtype_out` is of what `filter` writes.
struct SamplingTable {
  void (*draw)(const SamplingSpec& spec, const SamplingParams& params, int64_t i);
  void (*filter)(const SamplingSpec& spec, const SamplingParams& params, DType dtype_out,
                 int64_t i);
};

}  // namespace weft
