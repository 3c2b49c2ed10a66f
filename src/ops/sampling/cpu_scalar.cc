// SPDX-License-Identifier: Apache-2.0
// Sampling for whatever the baseline of the architecture has.
#include "src/ops/sampling/cpu_unit.h"

namespace weft {

extern const SamplingTable kSamplingTableScalar;
constinit const SamplingTable kSamplingTableScalar = make_table();

}  // namespace weft
