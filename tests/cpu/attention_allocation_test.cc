// SPDX-License-Identifier: Apache-2.0
// plan and run allocate nothing and take no lock, on an injected pool and on weft's own.
#include <gtest/gtest.h>

#include <mutex>

#include "tests/cases/run_case.h"
#include "tests/hooks/calls.h"

namespace weft::cases {
namespace {

/// A pool whose run is a plain loop: nothing in it can allocate.
void run_in_order(void*, int n, void (*body)(void* arg, int i), void* arg) {
  for (int i = 0; i < n; ++i) body(arg, i);
}

TEST(Hooks, SeeAllocationsAndLocks) {
  std::mutex mutex;
  const test::Calls seen = test::calls_of([&] {
    int* volatile p = new int(1);
    delete p;
    const std::lock_guard<std::mutex> guard(mutex);
  });
  EXPECT_EQ(seen.allocations, 1);
#if !defined(__SANITIZE_THREAD__)
  EXPECT_EQ(seen.locks, 1);
#endif
}

std::vector<AttentionCase> cases() {
  const std::vector<Lengths> lengths{{1, 2000}, {80, 400}, {5, 65}, {0, 3}, {2, 0}};
  return {
      {.name = "paged_bf16", .head_dim = 128, .requests = lengths},
      {.name = "ragged_f32",
       .q = DType::f32,
       .kv = DType::f32,
       .page_size = 0,
       .requests = lengths},
      {.name = "custom_mask_e4m3_all_values",
       .kv = DType::e4m3,
       .mask = MaskMode::custom,
       .requests = lengths,
       .window = 90,
       .soft_cap = 5,
       .head_scales = true,
       .sink = true,
       .alibi = true},
      {.name = "rope", .rope = {.mode = RopeMode::interleaved}, .requests = lengths},
      {.name = "invariant",
       .schedule = ScheduleMode::batch_invariant,
       .split_kv = 128,
       .requests = lengths},
      {.name = "mla",
       .qo_heads = 16,
       .kv_heads = 1,
       .head_dim = 576,
       .head_dim_vo = 512,
       .storage = Storage::value_in_key,
       .requests = {{1, 300}, {2, 40}}},
  };
}

class Attentions : public testing::TestWithParam<AttentionCase> {};

TEST_P(Attentions, PlanAndRunNeitherAllocateNorLock) {
  const ParallelFor in_order{nullptr, run_in_order, 1};
  AttentionData data = make_attention_data(GetParam(), 3);
  Runner runner(data.config, Target::host());
  const Executor injected{nullptr, &in_order};
  for (const Executor& executor : {injected, Executor{}}) {
    runner.plan(data.batch, executor);  // the pool starts its threads at its first run
    runner.run(data, executor);
    const test::Calls seen = test::calls_of([&] {
      for (int layer = 0; layer < 3; ++layer) {
        runner.plan(data.batch, executor);
        runner.run(data, executor);
      }
    });
    const char* which = executor.parallel_for != nullptr ? "injected" : "own pool";
    EXPECT_EQ(seen.allocations, 0) << which;
    EXPECT_EQ(seen.locks, 0) << which;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Attentions, testing::ValuesIn(cases()),
                         [](const testing::TestParamInfo<AttentionCase>& info) {
                           return info.param.name;
                         });

}  // namespace
}  // namespace weft::cases
