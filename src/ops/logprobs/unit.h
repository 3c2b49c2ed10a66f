// SPDX-License-Identifier: Apache-2.0
// The seam between logprobs and its CPU code: one table of functions per RowUnit, compiled with
// that unit's flags by cpu_<isa>.cc. Called by cpu.cc; knows one row, never tensors.
#pragma once

#include "kernels/logprobs/params.h"
#include "kernels/logprobs/spec.h"

namespace weft {

struct LogprobsTable {
  void (*sample)(const LogprobsSpec& spec, const LogprobsParams& params, int64_t i);
};

}  // namespace weft
