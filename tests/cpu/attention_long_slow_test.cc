// SPDX-License-Identifier: Apache-2.0
// Attention on the CPU over the table of long contexts and large batches.
#include "tests/cpu/attention_cases.h"

namespace weft::cases {

INSTANTIATE_TEST_SUITE_P(Long, AttentionCases, testing::ValuesIn(long_cases()), case_name);

}  // namespace weft::cases
