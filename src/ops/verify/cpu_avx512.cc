// SPDX-License-Identifier: Apache-2.0
// Verify for AVX-512 F, BW, DQ, VL: 16 lanes.
#include "src/ops/verify/cpu_unit.h"

namespace weft {

static_assert(kWidth == 16, "compiled without the flags of its ISA");

extern const VerifyTable kVerifyTableAvx512;
constinit const VerifyTable kVerifyTableAvx512 = make_table();

}  // namespace weft
