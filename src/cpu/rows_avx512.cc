// SPDX-License-Identifier: Apache-2.0
// The row kernels for AVX-512 F, BW, DQ, VL: 16 lanes.
#include "src/cpu/rows_unit.h"

namespace weft {

static_assert(kWidth == 16, "compiled without the flags of its ISA");

extern const RowTable kRowTableAvx512;
constinit const RowTable kRowTableAvx512 = make_table();

}  // namespace weft
