// SPDX-License-Identifier: Apache-2.0
// The norm kernels for AVX-512 F, BW, DQ, VL: 16 lanes.
#include "src/ops/norm/cpu_unit.h"

namespace weft {

static_assert(kWidth == 16, "compiled without the flags of its ISA");

extern const NormTable kNormTableAvx512;
constinit const NormTable kNormTableAvx512 = make_table();

}  // namespace weft
