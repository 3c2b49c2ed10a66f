// SPDX-License-Identifier: Apache-2.0
// The activation kernels for the baseline of the architecture: 4 lanes.
#include "src/ops/activation/cpu_unit.h"

namespace weft {

extern const ActivationTable kActivationTableScalar;
constinit const ActivationTable kActivationTableScalar = make_table();

}  // namespace weft
