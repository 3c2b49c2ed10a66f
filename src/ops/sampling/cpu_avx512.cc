// SPDX-License-Identifier: Apache-2.0
// Sampling for AVX-512 F, BW, DQ, VL: 16 lanes.
#include "src/ops/sampling/cpu_unit.h"

namespace weft {

static_assert(kWidth == 16, "compiled without the flags of its ISA");

extern const SamplingTable kSamplingTableAvx512;
constinit const SamplingTable kSamplingTableAvx512 = make_table();

}  // namespace weft
