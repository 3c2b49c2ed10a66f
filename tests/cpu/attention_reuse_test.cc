// SPDX-License-Identifier: Apache-2.0
// What one plan, one workspace and one Attention go through in an engine: values that change from
// call to call, dirty memory, batches that grow and shrink, plans used in turn and at once.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "tests/cases/executors.h"
#include "tests/cases/random.h"
#include "tests/cases/run_case.h"
#include "tests/cases/targets.h"

namespace weft::cases {
namespace {

uint64_t seed() { return 97 + static_cast<uint64_t>(GTEST_FLAG_GET(random_seed)); }

AttentionCase base_case() {
  return {.name = "base", .requests = {{1, 700}, {60, 300}, {5, 66}, {0, 9}, {1, 1}, {3, 0}}};
}

/// Empty when a run of the planned batch matches the oracle and writes nothing else.
std::string run_and_check(Runner& runner, AttentionData& data, const Executor& executor = {},
                          double budget = 2e6) {
  runner.run(data, executor);
  const std::string stray = find_stray_writes(data, runner);
  if (!stray.empty()) return stray;
  return compare_rows(data, expect_rows(data, seed(), budget)).failure;
}

class OnEveryTarget : public testing::TestWithParam<Target> {};

TEST_P(OnEveryTarget, ValuesChangeFromCallToCall) {
  for (const int hint : {-1, 64}) {
    AttentionCase c = base_case();
    c.window_hint = hint;
    c.sink = c.alibi = c.head_scales = true;
    AttentionData data = make_attention_data(c, seed());
    const AttentionArgs all = data.args;
    data.args.sink = data.args.alibi_slopes = data.args.k_scales = data.args.v_scales = {};
    const AttentionArgs plain = data.args;
    Runner runner(data.config, GetParam());
    runner.plan(data.batch);
    const auto check = [&](const char* what) {
      EXPECT_EQ(run_and_check(runner, data), "") << what << " with hint " << hint;
      data.args = plain;
    };
    check("plain");
    for (const int window : {0, 10, 64, 63, 65, 200, 1 << 20, -1}) {
      data.args.window_left = window;
      check(("window " + std::to_string(window)).c_str());
    }
    data.args.logits_soft_cap = 2;
    check("soft cap");
    data.args.sm_scale = 0.7f;
    check("scale");
    data.args.k_scale = 0.5f;
    data.args.v_scale = 2;
    check("tensor scales");
    data.args.sink = all.sink;
    check("sinks");
    data.args.alibi_slopes = all.alibi_slopes;
    check("slopes");
    data.args.k_scales = all.k_scales;
    data.args.v_scales = all.v_scales;
    check("head scales");
    data.args.lse_base2 = true;
    check("base 2");
    data.args.lse = {};
    data.args.window_left = 5;
    data.args.sink = all.sink;
    check("no lse, window and sinks");
    check("plain again");
  }
}

TEST_P(OnEveryTarget, WorkspaceMayHoldAnything) {
  AttentionData data = make_attention_data(base_case(), seed());
  Runner runner(data.config, GetParam());
  for (int round = 0; round < 3; ++round) {
    runner.spoil_workspace();
    runner.plan(data.batch);
    EXPECT_EQ(run_and_check(runner, data), "") << "round " << round;
    EXPECT_EQ(run_and_check(runner, data), "") << "round " << round << ", second layer";
  }
}

/// A plan keeps no trace of the batch before: 200 batches between (all, length 1) and (few, long).
TEST_P(OnEveryTarget, PlansManyBatchesInTurn) {
  AttentionCase limits{.name = "limits", .requests = {{400, 4000}}};
  AttentionConfig config = config_of(limits);
  config.max_batch_size = 60;
  config.max_nnz_qo = 400;
  Runner runner(config, GetParam());
  Random random(seed());
  for (int round = 0; round < 200; ++round) {
    AttentionCase c = limits;
    const int kind = round % 4;
    const int n = kind == 0 ? 60 : static_cast<int>(random.integer(0, kind == 1 ? 3 : 12));
    c.requests.clear();
    for (int r = 0, left = 400; r < n; ++r) {
      const int qo = std::min<int>(
          left, kind == 0 || random.chance(0.6) ? 1 : static_cast<int>(random.integer(0, 90)));
      left -= qo;
      const int kv = static_cast<int>(random.integer(0, kind == 1 ? 2500 : 200));
      c.requests.push_back({qo, kind == 0 ? 1 : kv});
    }
    AttentionData data = make_attention_data(c, seed() + static_cast<uint64_t>(round));
    data.config = config;
    if (round % 7 == 0) runner.spoil_workspace();
    runner.plan(data.batch);
    ASSERT_EQ(run_and_check(runner, data, {}, 3e5), "") << "round " << round;
  }
}

TEST_P(OnEveryTarget, TwoPlansInterleaved) {
  AttentionCase c = base_case();
  AttentionData a = make_attention_data(c, seed());
  c.requests = {{130, 900}, {1, 30}, {9, 20}};
  AttentionData b = make_attention_data(c, seed() + 1);
  a.config.max_batch_size = b.config.max_batch_size = 10;
  a.config.max_nnz_qo = b.config.max_nnz_qo = 150;
  const Attention attention(a.config, GetParam());
  AttentionPlan plan_a = attention.create_plan();
  AttentionPlan plan_b = attention.create_plan();
  const Expected expect_a = expect_rows(a, seed(), 2e6);
  const Expected expect_b = expect_rows(b, seed(), 2e6);
  const auto run = [&](const AttentionPlan& plan, AttentionData& data, const Expected& expected) {
    data.poison_outputs();
    attention.run(plan, data.args);
    EXPECT_EQ(compare_rows(data, expected).failure, "");
  };
  attention.plan(a.batch, plan_a);
  attention.plan(b.batch, plan_b);
  for (int round = 0; round < 3; ++round) {
    run(plan_b, b, expect_b);
    run(plan_a, a, expect_a);
    if (round == 1) attention.plan(b.batch, plan_b);
    run(plan_a, a, expect_a);
  }
}

INSTANTIATE_TEST_SUITE_P(Host, OnEveryTarget, testing::ValuesIn(host_targets()),
                         [](const testing::TestParamInfo<Target>& info) {
                           return std::string(name_of(info.param.isa)) +
                                  (info.param.fast_bf16 ? "_fast_bf16" : "");
                         });

/// Four threads, each with its own plan, through one Attention and weft's own pool.
TEST(AttentionThreads, OneAttentionManyPlans) {
  AttentionConfig config = config_of(base_case());
  config.max_batch_size = 10;
  config.max_nnz_qo = 150;
  const Attention attention(config);
  std::vector<std::string> failures(4);
  const auto work = [&](int t) {
    AttentionCase c = base_case();
    c.requests[0].kv += 100 * t;
    AttentionData data = make_attention_data(c, seed() + static_cast<uint64_t>(t));
    const Expected expected = expect_rows(data, seed(), 1e6);
    AttentionPlan plan = attention.create_plan();
    for (int round = 0; round < 20 && failures[static_cast<size_t>(t)].empty(); ++round) {
      attention.plan(data.batch, plan);
      data.poison_outputs();
      attention.run(plan, data.args);
      failures[static_cast<size_t>(t)] = compare_rows(data, expected).failure;
    }
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) threads.emplace_back(work, t);
  for (std::thread& t : threads) t.join();
  for (const std::string& failure : failures) EXPECT_EQ(failure, "");
}

TEST(AttentionPlanObject, OutlivesItsAttentionAndMoves) {
  AttentionData data = make_attention_data(base_case(), seed());
  AttentionPlan plan;
  {
    const Attention attention(data.config);
    AttentionPlan made = attention.create_plan();
    attention.plan(data.batch, made);
    plan = std::move(made);
  }
  EXPECT_EQ(plan.batch_size(), 6);
  EXPECT_GT(plan.num_items(), 0);
  EXPECT_GE(plan.balance(), 1.0);
  const Attention twin(data.config);  // the same config and target make the same plans
  data.poison_outputs();
  twin.run(plan, data.args);
  EXPECT_EQ(compare_rows(data, expect_rows(data, seed(), 2e6)).failure, "");
}

TEST(AttentionWorkspace, DependsOnLimitsOnlyAndIsEnough) {
  AttentionConfig config = config_of(base_case());
  const size_t bytes = Attention(config).workspace_bytes();
  EXPECT_EQ(Attention(config).workspace_bytes(), bytes);
  config.window_left = 100;
  EXPECT_EQ(Attention(config).workspace_bytes(), bytes);
  config.max_batch_size *= 100;
  EXPECT_GT(Attention(config).workspace_bytes(), bytes);
}

}  // namespace
}  // namespace weft::cases
