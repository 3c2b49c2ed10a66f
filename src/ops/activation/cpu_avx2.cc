// SPDX-License-Identifier: Apache-2.0
// The activation kernels for AVX2 with FMA and F16C: 8 lanes.
#include "src/ops/activation/cpu_unit.h"

namespace weft {

static_assert(kWidth == 8, "compiled without the flags of its ISA");

extern const ActivationTable kActivationTableAvx2;
constinit const ActivationTable kActivationTableAvx2 = make_table();

}  // namespace weft
