// SPDX-License-Identifier: Apache-2.0
// The norm kernels for the baseline of the architecture: 4 lanes.
#include "src/ops/norm/cpu_unit.h"

namespace weft {

extern const NormTable kNormTableScalar;
constinit const NormTable kNormTableScalar = make_table();

}  // namespace weft
