// SPDX-License-Identifier: Apache-2.0
// Verify for whatever the baseline of the architecture has.
#include "src/ops/verify/cpu_unit.h"

namespace weft {

extern const VerifyTable kVerifyTableScalar;
constinit const VerifyTable kVerifyTableScalar = make_table();

}  // namespace weft
