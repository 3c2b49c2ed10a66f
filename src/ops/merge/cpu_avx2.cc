// SPDX-License-Identifier: Apache-2.0
// The merge kernels for AVX2 with FMA and F16C: 8 lanes.
#include "src/ops/merge/cpu_unit.h"

namespace weft {

static_assert(kWidth == 8, "compiled without the flags of its ISA");

extern const MergeTable kMergeTableAvx2;
constinit const MergeTable kMergeTableAvx2 = make_table();

}  // namespace weft
