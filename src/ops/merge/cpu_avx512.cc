// SPDX-License-Identifier: Apache-2.0
// The merge kernels for AVX-512 F, BW, DQ, VL: 16 lanes.
#include "src/ops/merge/cpu_unit.h"

namespace weft {

static_assert(kWidth == 16, "compiled without the flags of its ISA");

extern const MergeTable kMergeTableAvx512;
constinit const MergeTable kMergeTableAvx512 = make_table();

}  // namespace weft
