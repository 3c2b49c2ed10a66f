// SPDX-License-Identifier: Apache-2.0
// topk for AVX-512 F, BW, DQ, VL: 16 lanes.
#include "src/ops/topk/cpu_unit.h"

namespace weft {

static_assert(kWidth == 16, "compiled without the flags of its ISA");

extern const TopkTable kTopkTableAvx512;
constinit const TopkTable kTopkTableAvx512 = make_table();

}  // namespace weft
