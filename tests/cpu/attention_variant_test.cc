// SPDX-License-Identifier: Apache-2.0
// Attention on the CPU over the tables of variants: masks, values of the call, fused RoPE.
#include "tests/cpu/attention_cases.h"

namespace weft::cases {

INSTANTIATE_TEST_SUITE_P(Masks, AttentionCases, testing::ValuesIn(mask_cases()), case_name);
INSTANTIATE_TEST_SUITE_P(Values, AttentionCases, testing::ValuesIn(value_cases()), case_name);
INSTANTIATE_TEST_SUITE_P(Rope, AttentionCases, testing::ValuesIn(rope_cases()), case_name);

}  // namespace weft::cases
