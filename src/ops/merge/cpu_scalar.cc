// SPDX-License-Identifier: Apache-2.0
// The merge kernels for the baseline of the architecture: 4 lanes.
#include "src/ops/merge/cpu_unit.h"

namespace weft {

extern const MergeTable kMergeTableScalar;
constinit const MergeTable kMergeTableScalar = make_table();

}  // namespace weft
