// SPDX-License-Identifier: Apache-2.0
// One parameterised test over the attention tables, shared by the attention_*_test.cc files: each
// instantiates it with its tables. --gtest_random_seed=N draws other numbers.
#pragma once

#include <gtest/gtest.h>

#include "tests/cases/random.h"
#include "tests/cases/run_case.h"

namespace weft::cases {

class AttentionCases : public testing::TestWithParam<AttentionCase> {};

TEST_P(AttentionCases, MatchOracleOnEveryTargetAndPool) {
  const uint64_t seed =
      hash_of(GetParam().name) + static_cast<uint64_t>(GTEST_FLAG_GET(random_seed));
  double worst = 0;
  EXPECT_EQ(check_case(GetParam(), seed, &worst), "");
  RecordProperty("worst_error_over_tolerance", std::to_string(worst));
}

inline std::string case_name(const testing::TestParamInfo<AttentionCase>& info) {
  return info.param.name;
}

}  // namespace weft::cases
