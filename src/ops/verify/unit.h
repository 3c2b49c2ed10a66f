// SPDX-License-Identifier: Apache-2.0
// The seam between verify and its CPU code: one table of functions per RowUnit, compiled with that
// unit's flags by cpu_<isa>.cc. Called by cpu.cc.
#pragma once

#include "kernels/verify/params.h"
#include "kernels/verify/spec.h"

namespace weft {

struct VerifyTable {
  void (*request)(const VerifySpec& spec, const VerifyParams& params, int64_t i);
};

}  // namespace weft
