// SPDX-License-Identifier: Apache-2.0
// The row kernels for the baseline of the architecture: 4 lanes.
#include "src/cpu/rows_unit.h"

namespace weft {

extern const RowTable kRowTableScalar;
constinit const RowTable kRowTableScalar = make_table();

}  // namespace weft
