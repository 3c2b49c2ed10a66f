// SPDX-License-Identifier: Apache-2.0
// Logprobs for whatever the baseline of the architecture has.
#include "src/ops/logprobs/cpu_unit.h"

namespace weft {

extern const LogprobsTable kLogprobsTableScalar;
constinit const LogprobsTable kLogprobsTableScalar = make_table();

}  // namespace weft
