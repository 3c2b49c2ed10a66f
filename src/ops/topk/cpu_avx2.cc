// SPDX-License-Identifier: Apache-2.0
// topk for AVX2 with FMA and F16C: 8 lanes.
#include "src/ops/topk/cpu_unit.h"

namespace weft {

static_assert(kWidth == 8, "compiled without the flags of its ISA");

extern const TopkTable kTopkTableAvx2;
constinit const TopkTable kTopkTableAvx2 = make_table();

}  // namespace weft
