// SPDX-License-Identifier: Apache-2.0
// Attention on the CPU over the tables of storage: pages, ragged KV, dtypes.
#include "tests/cpu/attention_cases.h"

namespace weft::cases {

INSTANTIATE_TEST_SUITE_P(Pages, AttentionCases, testing::ValuesIn(page_cases()), case_name);
INSTANTIATE_TEST_SUITE_P(Ragged, AttentionCases, testing::ValuesIn(ragged_cases()), case_name);
INSTANTIATE_TEST_SUITE_P(Dtypes, AttentionCases, testing::ValuesIn(dtype_cases()), case_name);

}  // namespace weft::cases
