// SPDX-License-Identifier: Apache-2.0
// The activation kernels for AVX-512 F, BW, DQ, VL: 16 lanes.
#include "src/ops/activation/cpu_unit.h"

namespace weft {

static_assert(kWidth == 16, "compiled without the flags of its ISA");

extern const ActivationTable kActivationTableAvx512;
constinit const ActivationTable kActivationTableAvx512 = make_table();

}  // namespace weft
