// SPDX-License-Identifier: Apache-2.0
// topk for whatever the baseline of the architecture has.
#include "src/ops/topk/cpu_unit.h"

namespace weft {

extern const TopkTable kTopkTableScalar;
constinit const TopkTable kTopkTableScalar = make_table();

}  // namespace weft
