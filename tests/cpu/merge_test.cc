// SPDX-License-Identifier: Apache-2.0
// merge on the CPU against float64: any number of states, pairs in place and masked, every dtype,
// strides, on every instruction set and pool.
#include "weft/merge.h"

#include <gtest/gtest.h>

#include "tests/cases/executors.h"
#include "tests/cases/merge_case.h"
#include "tests/cases/targets.h"
#include "weft/error.h"

namespace weft::cases {
namespace {

std::string check(const MergeCase& c, uint64_t seed) {
  MergeData data = make_merge_data(c, seed);
  for (const Target& target : host_targets()) {
    const Merge op(data.config, target);
    const AllPools pools;
    std::vector<char> first_o, first_lse;
    for (const TestPool* pool : pools.list()) {
      data.o.poison(), data.lse.poison();
      op.run(data.args, pool->executor());
      const std::vector<char> o = bytes_of(data.o.buffer), lse = bytes_of(data.lse.buffer);
      if (pool == pools.list().front()) first_o = o, first_lse = lse;
      if (o != first_o || lse != first_lse) return "other bits on " + pool->name();
    }
    const std::string wrong = compare_merge_exactly(c, data);
    if (!wrong.empty()) return to_string(target) + ": " + wrong;
  }
  return "";
}

class MergeCases : public testing::TestWithParam<MergeCase> {};

TEST_P(MergeCases, MatchFloat64) { EXPECT_EQ(check(GetParam(), hash_of(GetParam().name)), ""); }

INSTANTIATE_TEST_SUITE_P(Merge, MergeCases, testing::ValuesIn(merge_cases()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Merge, RandomCasesMatchFloat64) {
  Random random(99);
  for (int i = 0; i < 100; ++i) {
    const MergeCase c = random_merge_case(random);
    ASSERT_EQ(check(c, static_cast<uint64_t>(i)), "")
        << "case " << i << ": " << to_string(make_merge_data(c, 1).config) << ", states "
        << c.states;
  }
}

std::string check_pair(const MergePairCase& c, DType dtype, const Target& target) {
  const MergePairData pair = make_pair_data(c, dtype);
  Merge(pair.all.config, target).run(pair.args);
  return compare_merge(pair.all);
}

TEST(Merge, PairsInPlaceAndMasked) {
  for (const Target& target : host_targets()) {
    for (DType dtype : {DType::f32, DType::f16, DType::bf16}) {
      for (const MergePairCase& c : merge_pair_cases()) {
        EXPECT_EQ(check_pair(c, dtype, target), "") << c.name << " " << to_string(target);
      }
    }
  }
}

}  // namespace
}  // namespace weft::cases
