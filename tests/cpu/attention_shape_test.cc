// SPDX-License-Identifier: Apache-2.0
// Attention on the CPU over the tables of sizes: lengths, groups, head dimensions, schedules.
#include "tests/cpu/attention_cases.h"

namespace weft::cases {

INSTANTIATE_TEST_SUITE_P(Lengths, AttentionCases, testing::ValuesIn(length_cases()), case_name);
INSTANTIATE_TEST_SUITE_P(Heads, AttentionCases, testing::ValuesIn(head_cases()), case_name);
INSTANTIATE_TEST_SUITE_P(Schedules, AttentionCases, testing::ValuesIn(schedule_cases()), case_name);

}  // namespace weft::cases
