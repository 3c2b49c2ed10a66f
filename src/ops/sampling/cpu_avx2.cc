// SPDX-License-Identifier: Apache-2.0
// Sampling for AVX2 with FMA and F16C: 8 lanes.
#include "src/ops/sampling/cpu_unit.h"

namespace weft {

static_assert(kWidth == 8, "compiled without the flags of its ISA");

extern const SamplingTable kSamplingTableAvx2;
constinit const SamplingTable kSamplingTableAvx2 = make_table();

}  // namespace weft
