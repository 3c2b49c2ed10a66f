// SPDX-License-Identifier: Apache-2.0
// Verify for AVX2 with FMA and F16C: 8 lanes.
#include "src/ops/verify/cpu_unit.h"

namespace weft {

static_assert(kWidth == 8, "compiled without the flags of its ISA");

extern const VerifyTable kVerifyTableAvx2;
constinit const VerifyTable kVerifyTableAvx2 = make_table();

}  // namespace weft
