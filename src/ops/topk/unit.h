// SPDX-License-Identifier: Apache-2.0
// The seam between topk and its CPU code: one table of functions per RowUnit, compiled with that
// unit's flags by cpu_<isa>.cc. Called by cpu.cc; knows one row, never tensors.
#pragma once

#include "kernels/topk/params.h"
#include "kernels/topk/spec.h"

namespace weft {

struct TopkTable {
  /// The entries of the k largest of row `i`, or of all of fewer, by position. Returns how many.
  int (*select)(const TopkSpec& spec, const TopkParams& params, const TopkRow& row, int64_t i,
                uint64_t* best);
};

}  // namespace weft
