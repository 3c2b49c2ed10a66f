// SPDX-License-Identifier: Apache-2.0
// Attention on the CPU over random combinations of everything. --gtest_random_seed=N draws others.
#include <gtest/gtest.h>

#include "tests/cases/random_case.h"
#include "tests/cases/run_case.h"

namespace weft::cases {
namespace {

TEST(AttentionRandom, AnyCombination) {
  const auto base = static_cast<uint64_t>(GTEST_FLAG_GET(random_seed));
  Random random(20260 + base * 1000003);
  for (int round = 0; round < 60; ++round) {
    const AttentionCase c = random_case(random, 3e6);
    ASSERT_EQ(check_case(c, random.next()), "")
        << "round " << round << " of seed " << base << ": " << describe(c);
  }
}

}  // namespace
}  // namespace weft::cases
