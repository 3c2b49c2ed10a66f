// SPDX-License-Identifier: Apache-2.0
// What select makes of configs and targets: the unit, and schedules that satisfy every property of
// a plan and spread real batches evenly. Pure functions: no tensors, and targets of any machine.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "src/ops/attention/select.h"
#include "tests/cases/plan_check.h"

namespace weft::cases {
namespace {

struct UnitRow {
  DType q;
  DType kv;
  Isa isa;
  bool fast_bf16;
  AttentionUnit unit;
};

AttentionConfig model(int qo_heads, int kv_heads, int dim_qk, int dim_vo) {
  return {.num_qo_heads = qo_heads,
          .num_kv_heads = kv_heads,
          .head_dim_qk = dim_qk,
          .head_dim_vo = dim_vo,
          .max_batch_size = 4096,
          .max_nnz_qo = 16384};
}

TEST(AttentionSelect, UnitByDtypesAndInstructionSet) {
  using U = AttentionUnit;
  constexpr DType kBf16 = DType::bf16, kF16 = DType::f16, kF32 = DType::f32;
  const UnitRow rows[] = {
      {kBf16, kBf16, Isa::scalar, false, U::cpu_scalar},
      {kBf16, kBf16, Isa::avx2, false, U::cpu_avx2},
      {kBf16, kBf16, Isa::avx512, false, U::cpu_avx512},
      {kBf16, kBf16, Isa::avx512_bf16, false, U::cpu_avx512},  // slower than f32 FMA there
      {kBf16, kBf16, Isa::avx512_bf16, true, U::cpu_avx512_bf16},
      {kBf16, DType::e4m3, Isa::avx512_bf16, true, U::cpu_avx512_bf16},
      {kBf16, DType::e5m2, Isa::amx_bf16, false, U::cpu_amx_bf16},
      {kBf16, kBf16, Isa::amx_bf16, false, U::cpu_amx_bf16},
      // Nothing that bf16 cannot hold exactly is rounded to it.
      {kBf16, kF16, Isa::amx_bf16, true, U::cpu_avx512},
      {kBf16, kF32, Isa::amx_bf16, true, U::cpu_avx512},
      {kF16, kF16, Isa::amx_bf16, true, U::cpu_avx512},
      {kF16, DType::e4m3, Isa::amx_bf16, true, U::cpu_avx512},
      {kF32, kBf16, Isa::amx_bf16, true, U::cpu_avx512},
      {kF32, kF32, Isa::avx2, false, U::cpu_avx2},
  };
  for (const UnitRow& row : rows) {
    AttentionConfig config = model(32, 8, 128, 0);
    config.dtype_q = row.q;
    config.dtype_kv = row.kv;
    const Target target{.isa = row.isa, .fast_bf16 = row.fast_bf16};
    config = checked_config(config);
    const AttentionSpec spec = select_attention(config, target);
    EXPECT_EQ(name_of(spec.unit), std::string(name_of(row.unit)))
        << name_of(row.q) << " " << name_of(row.kv) << " on " << name_of(row.isa);
    const std::string why = explain_selection(config, target, spec);
    EXPECT_NE(why.find(name_of(row.unit)), std::string::npos) << why;
  }
}

TEST(AttentionSelect, DefaultsAreFilledIn) {
  AttentionConfig config = model(8, 2, 64, 0);
  config.rope.mode = RopeMode::neox;
  const AttentionConfig full = checked_config(config);
  EXPECT_EQ(full.dtype_o, DType::bf16);
  EXPECT_EQ(full.head_dim_vo, 64);
  EXPECT_EQ(full.rope.dim, 64);
  EXPECT_GT(full.split_kv, 0);
  EXPECT_EQ(checked_config(full), full);
}

/// Every head belongs to one lane and no more workers exist than the target allows.
TEST(AttentionSelect, SchedulesFitHeadsAndWorkers) {
  for (const int kv_heads : {1, 2, 3, 5, 7, 8, 16, 24, 32}) {
    for (const int group : {1, 3, 8, 128}) {
      for (const int workers : {1, 2, 7, 16, 64, 132, 1000}) {
        Target target;
        target.num_workers = workers;
        const ScheduleSpec s =
            select_attention(checked_config(model(kv_heads * group, kv_heads, 64, 0)), target)
                .schedule;
        EXPECT_EQ(s.head_lanes * s.heads_per_lane, kv_heads);
        EXPECT_LE(s.num_workers(), workers);
        EXPECT_GE(s.num_groups, 1);
        EXPECT_EQ(s.group_size, group);
      }
    }
  }
}

std::vector<ScheduleSpec> real_specs() {
  std::vector<ScheduleSpec> specs;
  const AttentionConfig models[] = {model(32, 8, 128, 0), model(28, 4, 128, 0),
                                    model(128, 1, 576, 512), model(8, 8, 64, 0),
                                    model(96, 8, 256, 0)};
  for (const AttentionConfig& base : models) {
    for (const Isa isa : {Isa::scalar, Isa::avx512, Isa::amx_bf16}) {
      for (const ScheduleMode mode : {ScheduleMode::deterministic, ScheduleMode::batch_invariant}) {
        for (const int window : {-1, 500}) {
          AttentionConfig config = base;
          config.schedule = mode;
          config.window_left = window;
          specs.push_back(select_attention(checked_config(config), Target{.isa = isa}).schedule);
        }
      }
    }
  }
  return specs;
}

TEST(AttentionSelect, SchedulesHaveEveryPropertyOfAPlan) {
  Random random(31 + static_cast<uint64_t>(GTEST_FLAG_GET(random_seed)));
  for (const ScheduleSpec& spec : real_specs()) {
    for (int round = 0; round < 12; ++round) {
      const BatchOfLengths batch =
          random_batch(random, static_cast<int>(random.integer(0, 100)), 20000);
      const PlanLists plan =
          make_plan(spec, batch, std::max(1, batch.size()), std::max(1, batch.qo_indptr.back()));
      ASSERT_EQ(check_plan(spec, batch, plan), "") << print(spec);
    }
  }
}

struct Load {
  const char* name;
  BatchOfLengths batch;
};

std::vector<Load> serving_loads() {
  Random random(7);
  std::vector<Load> loads(6);
  loads[0].name = "64 decodes of 4096";
  for (int r = 0; r < 64; ++r) loads[0].batch.add(1, 4096);
  loads[1].name = "one decode of 131072 among 63 of 512";
  for (int r = 0; r < 64; ++r) loads[1].batch.add(1, r == 40 ? 131072 : 512);
  loads[2].name = "a chunk of 512 on 8192 and 60 decodes";
  loads[2].batch.add(512, 8192);
  for (int r = 0; r < 60; ++r) loads[2].batch.add(1, static_cast<int>(random.integer(1000, 8000)));
  loads[3].name = "a prompt of 4096";
  loads[3].batch.add(4096, 4096);
  loads[4].name = "one decode of 131072";
  loads[4].batch.add(1, 131072);
  loads[5].name = "256 decodes, power law";
  for (int r = 0; r < 256; ++r) {
    loads[5].batch.add(1, static_cast<int>(100 / (random.uniform() + 0.002)));
  }
  return loads;
}

TEST(AttentionSelect, ServingLoadsAreSpreadEvenly) {
  for (const ScheduleSpec& spec : real_specs()) {
    // Fixed splits cut at fixed places only, and a tile of a window has too few blocks to be cut
    // finely; what they may cost is bounded in partition_test.
    if (spec.split_blocks > 0 || spec.window_left >= 0) continue;
    for (const Load& load : serving_loads()) {
      const PlanLists plan = make_plan(spec, load.batch, 256, 4096);
      const std::vector<int64_t> loads = group_loads(spec, load.batch, plan);
      const int64_t busiest = *std::max_element(loads.begin(), loads.end());
      const double mean =
          static_cast<double>(std::accumulate(loads.begin(), loads.end(), int64_t{0})) /
          plan.summary.active_groups;
      EXPECT_LE(static_cast<double>(busiest), 1.1 * mean) << load.name << ": " << print(spec);
      EXPECT_DOUBLE_EQ(plan_balance(spec, load.batch.view(), plan.summary, plan.work_indptr.data(),
                                    plan.items.data()),
                       static_cast<double>(busiest) / mean);
    }
  }
}

}  // namespace
}  // namespace weft::cases
