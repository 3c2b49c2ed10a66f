// SPDX-License-Identifier: Apache-2.0
// append on the CPU against float64: every dtype into every cache dtype and layout, with and
// without rotation, on every instruction set and pool; and that no other byte of a cache changes.
#include "weft/append.h"

#include <gtest/gtest.h>

#include "tests/cases/append_case.h"
#include "tests/cases/executors.h"
#include "tests/cases/targets.h"

namespace weft::cases {
namespace {

std::string check(const AppendCase& c, uint64_t seed) {
  AppendData data = make_append_data(c, seed);
  for (const Target& target : host_targets()) {
    const Append op(data.config, target);
    const AllPools pools;
    uint64_t bits = 0;
    for (const TestPool* pool : pools.list()) {
      restore_outputs(c, data);
      op.run(data.args, pool->executor());
      uint64_t hash = data.cache_memory.hash();
      if (data.v_cache_memory.size() > 0) hash = hash * 31 + data.v_cache_memory.hash();
      if (data.q_out.buffer.size() > 0) hash = hash * 31 + data.q_out.buffer.hash();
      if (pool != pools.list().front() && hash != bits) return "other bits on " + pool->name();
      bits = hash;
    }
    const std::string wrong = compare_append(data);
    if (!wrong.empty()) return to_string(target) + ": " + wrong;
  }
  return "";
}

class AppendCases : public testing::TestWithParam<AppendCase> {};

TEST_P(AppendCases, MatchFloat64) { EXPECT_EQ(check(GetParam(), hash_of(GetParam().name)), ""); }

INSTANTIATE_TEST_SUITE_P(Append, AppendCases, testing::ValuesIn(append_cases()),
                         [](const auto& info) { return std::string(info.param.name); });

// Every source dtype into every cache dtype, layout and storage.
TEST(Append, EveryDtypeAndLayout) {
  for (DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    for (DType kv : {DType::f32, DType::f16, DType::bf16, DType::e4m3, DType::e5m2}) {
      for (KvLayout layout : {KvLayout::nhd, KvLayout::hnd}) {
        for (CacheStorage storage :
             {CacheStorage::separate, CacheStorage::joined, CacheStorage::layer_in_page}) {
          const AppendCase c = append_product_case(dtype, kv, layout, storage);
          ASSERT_EQ(check(c, 11), "") << name_of(dtype) << " to " << name_of(kv) << " "
                                      << name_of(layout) << " " << static_cast<int>(storage);
        }
      }
    }
  }
}

TEST(Append, RandomCasesMatchFloat64) {
  Random random(7);
  for (int i = 0; i < 80; ++i) {
    const AppendCase c = random_append_case(random);
    ASSERT_EQ(check(c, static_cast<uint64_t>(i)), "")
        << "case " << i << ": " << to_string(make_append_data(c, static_cast<uint64_t>(i)).config);
  }
}

}  // namespace
}  // namespace weft::cases
