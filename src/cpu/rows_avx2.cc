// SPDX-License-Identifier: Apache-2.0
// The row kernels for AVX2 with FMA and F16C: 8 lanes.
#include "src/cpu/rows_unit.h"

namespace weft {

static_assert(kWidth == 8, "compiled without the flags of its ISA");

extern const RowTable kRowTableAvx2;
constinit const RowTable kRowTableAvx2 = make_table();

}  // namespace weft
