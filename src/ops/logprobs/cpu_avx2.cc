// SPDX-License-Identifier: Apache-2.0
// Logprobs for AVX2 with FMA and F16C: 8 lanes.
#include "src/ops/logprobs/cpu_unit.h"

namespace weft {

static_assert(kWidth == 8, "compiled without the flags of its ISA");

extern const LogprobsTable kLogprobsTableAvx2;
constinit const LogprobsTable kLogprobsTableAvx2 = make_table();

}  // namespace weft
