// SPDX-License-Identifier: Apache-2.0
// Logprobs for AVX-512 F, BW, DQ, VL: 16 lanes.
#include "src/ops/logprobs/cpu_unit.h"

namespace weft {

static_assert(kWidth == 16, "compiled without the flags of its ISA");

extern const LogprobsTable kLogprobsTableAvx512;
constinit const LogprobsTable kLogprobsTableAvx512 = make_table();

}  // namespace weft
