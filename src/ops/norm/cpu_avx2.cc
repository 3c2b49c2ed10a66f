// SPDX-License-Identifier: Apache-2.0
// The norm kernels for AVX2 with FMA and F16C: 8 lanes.
#include "src/ops/norm/cpu_unit.h"

namespace weft {

static_assert(kWidth == 8, "compiled without the flags of its ISA");

extern const NormTable kNormTableAvx2;
constinit const NormTable kNormTableAvx2 = make_table();

}  // namespace weft
