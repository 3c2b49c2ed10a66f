// SPDX-License-Identifier: Apache-2.0
// topk on the CPU against a sort: lengths, ties, orders, page tables and offsets, on every
// instruction set and pool; wrong contents; rows of a million.
#include "weft/topk.h"

#include <gtest/gtest.h>

#include "tests/cases/executors.h"
#include "tests/cases/refusal.h"
#include "tests/cases/targets.h"
#include "tests/cases/topk_case.h"

namespace weft::cases {
namespace {

std::string check(const TopkCase& c, uint64_t seed) {
  TopkData data = make_topk_data(c, seed);
  for (const Target& target : host_targets()) {
    const Topk op(data.config, target);
    const AllPools pools;
    for (const TestPool* pool : pools.list()) {
      data.indices.poison(), data.values.poison();
      op.run(data.args, pool->executor());
      const std::string wrong = compare_topk(data);
      if (!wrong.empty()) return to_string(target) + ": " + wrong;
      if (c.max_len > 3000) break;
    }
  }
  return "";
}

class TopkCases : public testing::TestWithParam<TopkCase> {};

TEST_P(TopkCases, MatchASort) { EXPECT_EQ(check(GetParam(), hash_of(GetParam().name)), ""); }

INSTANTIATE_TEST_SUITE_P(Topk, TopkCases, testing::ValuesIn(topk_cases()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Topk, RandomCasesMatchASort) {
  Random random(21);
  for (int i = 0; i < 100; ++i) {
    const TopkCase c = random_topk_case(random, 5000);
    ASSERT_EQ(check(c, static_cast<uint64_t>(i)), "") << "case " << i;
  }
}

TEST(Topk, ARowOfAMillion) {
  for (const int k : {1, 4096}) {
    EXPECT_EQ(check({.name = "million", .max_len = 1 << 20, .k = k, .n = 1, .sorted = true}, 1),
              "");
  }
}

TEST(TopkRefuses, WrongContents) {
  struct Row {
    const char* name;
    TensorView TopkArgs::*field;
    int32_t value;
  };
  const Row rows[] = {{"lengths", &TopkArgs::lengths, -1},
                      {"lengths", &TopkArgs::lengths, 2001},
                      {"row_to_batch", &TopkArgs::row_to_batch, 6},
                      {"row_to_batch", &TopkArgs::row_to_batch, -1}};
  for (const Row& row : rows) {
    TopkData data = make_topk_data(
        {.name = "wrong", .k = 64, .lengths = true, .pages = true, .batches = true}, 1);
    static_cast<int32_t*>((data.args.*row.field).data)[2] = row.value;
    EXPECT_EQ(check_refusal([&] { Topk(data.config).run(data.args); }, ErrorKind::invalid_argument,
                            row.name, "[2] out of it", {&data.indices.buffer, &data.values.buffer}),
              "");
  }
}

TEST(TopkRefuses, WrongTensors) {
  const TopkData data = make_topk_data(
      {.name = "wrong", .k = 64, .lengths = true, .pages = true, .batches = true}, 1);
  struct Row {
    const char* name;
    TensorView TopkArgs::*field;
  };
  const Row rows[] = {{"input", &TopkArgs::input},
                      {"lengths", &TopkArgs::lengths},
                      {"indices", &TopkArgs::indices},
                      {"values", &TopkArgs::values},
                      {"page_table", &TopkArgs::page_table}};
  for (const Row& row : rows) {
    for (const TensorFault& fault : tensor_faults()) {
      // What is optional may be absent, and a page table has any size.
      if (std::string(fault.name) == "absent" && std::string(row.name) != "input") continue;
      if (std::string(row.name) == "page_table" && std::string(fault.name) == "another size")
        continue;
      TopkArgs args = data.args;
      fault.apply(args.*row.field);
      EXPECT_EQ(check_refusal([&] { Topk(data.config).run(args); }, ErrorKind::invalid_argument,
                              row.name, fault.part, {&data.indices.buffer, &data.values.buffer}),
                "")
          << row.name << " " << fault.name;
    }
  }
  TopkArgs both = data.args;
  both.offsets = both.lengths;
  EXPECT_EQ(check_refusal([&] { Topk(data.config).run(both); }, ErrorKind::invalid_argument,
                          "offsets", "beside a page_table", {}),
            "");
}

TEST(TopkRefuses, WrongConfigs) {
  const TopkConfig right{.max_len = 100, .k = 5};
  EXPECT_NO_THROW(Topk{right});
  TopkConfig c = right;
  c.k = 4097;
  EXPECT_EQ(check_refusal([&] { Topk{c}; }, ErrorKind::invalid_argument, "k", "4096", {}), "");
  c = right, c.max_len = (1 << 20) + 1;
  EXPECT_EQ(check_refusal([&] { Topk{c}; }, ErrorKind::invalid_argument, "max_len", "", {}), "");
  c = right, c.dtype = DType::e4m3;
  EXPECT_EQ(check_refusal([&] { Topk{c}; }, ErrorKind::invalid_argument, "dtype", "f32", {}), "");
  c = right, c.page_size = 0;
  EXPECT_EQ(check_refusal([&] { Topk{c}; }, ErrorKind::invalid_argument, "page_size", "", {}), "");
}

}  // namespace
}  // namespace weft::cases
