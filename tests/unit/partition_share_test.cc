// SPDX-License-Identifier: Apache-2.0
// Two lists of one plan, for requests of few and of many rows: between them they hold each request
// once, their groups fit the GPU side by side, and both are estimated to end together.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/core/share.h"
#include "tests/cases/plan_check.h"

namespace weft::cases {
namespace {

// The lists of Llama 8B on 132 processors.
ScheduleSpec decode_list() {
  ScheduleSpec s;
  s.group_size = 4;
  s.qo_tile = 16;
  s.kv_tile = 16;
  s.num_groups = 33;
  s.head_lanes = 8;
  s.causal = true;
  s.min_blocks = 2;
  s.most_rows = 16;
  s.enough_percent = 50;
  s.cost = {700, 490, 0};
  return s;
}

ScheduleSpec prompt_list() {
  ScheduleSpec s = decode_list();
  s.qo_tile = s.kv_tile = 128;
  s.num_groups = 132;
  s.head_lanes = 1;
  s.heads_per_lane = 8;
  s.least_rows = s.most_rows + 1;
  s.most_rows = 0x7fffffff;
  s.enough_percent = 100;
  s.cost = {5000, 1700, 0};
  return s;
}

PlanLists plan_of(const ScheduleSpec& spec, const ScheduleSpec& beside,
                  const BatchOfLengths& batch) {
  PlanLists plan;
  plan.capacity = plan_capacity(spec, batch.size(), batch.qo_indptr.back());
  plan.work_indptr.resize(static_cast<size_t>(spec.num_groups) + 1);
  plan.items.resize(static_cast<size_t>(plan.capacity.items));
  plan.merges.resize(static_cast<size_t>(plan.capacity.merges));
  plan.summary = partition(spec, batch.view(), batch.size(), plan.work_indptr.data(),
                           plan.items.data(), plan.merges.data(), beside);
  plan.items.resize(static_cast<size_t>(plan.summary.num_items));
  plan.merges.resize(static_cast<size_t>(plan.summary.num_merges));
  return plan;
}

double list_time(const PlanLists& plan) {
  return static_cast<double>(plan.summary.total_cost) / plan.summary.active_groups;
}

// Of the GPU, that the list's groups take.
double share(const ScheduleSpec& s, const PlanLists& plan) {
  return static_cast<double>(plan.summary.active_groups) / s.num_groups;
}

TEST(PartitionShare, EachRequestIsInOneList) {
  Random random(5 + static_cast<uint64_t>(GTEST_FLAG_GET(random_seed)));
  for (int round = 0; round < 300; ++round) {
    const BatchOfLengths batch =
        random_batch(random, static_cast<int>(random.integer(0, 60)), 20000);
    const PlanLists few = plan_of(decode_list(), prompt_list(), batch);
    const PlanLists many = plan_of(prompt_list(), decode_list(), batch);
    ASSERT_EQ(check_plan(decode_list(), batch, few), "");
    ASSERT_EQ(check_plan(prompt_list(), batch, many), "");
    std::vector<int> lists(static_cast<size_t>(batch.size()));
    for (const PlanLists* plan : {&few, &many}) {
      std::vector<bool> here(lists.size());
      for (const WorkItem& item : plan->items) here[static_cast<size_t>(item.request)] = true;
      for (size_t r = 0; r < lists.size(); ++r) lists[r] += here[r];
    }
    for (size_t r = 0; r < lists.size(); ++r) {
      ASSERT_EQ(lists[r], batch.view().qo_len(static_cast<int32_t>(r)) > 0) << "request " << r;
    }
  }
}

TEST(PartitionShare, PromptsAndDecodesEndTogether) {
  BatchOfLengths batch;
  batch.add(2048, 8192);
  for (int i = 0; i < 63; ++i) batch.add(1, 4096);
  const PlanLists few = plan_of(decode_list(), prompt_list(), batch);
  const PlanLists many = plan_of(prompt_list(), decode_list(), batch);
  EXPECT_LE(share(decode_list(), few) + share(prompt_list(), many), 1.0);
  // On a share of the GPU decodes run 1 / enough_percent faster than the model's saturated memory.
  const double decodes = list_time(few) * decode_list().enough_percent / 100;
  EXPECT_NEAR(decodes / list_time(many), 1.0, 0.1);
}

TEST(PartitionShare, DecodesTakeNoMoreThanSaturatesTheMemory) {
  BatchOfLengths batch;
  batch.add(128, 1024);
  for (int i = 0; i < 200; ++i) batch.add(1, 8192);
  const PlanLists few = plan_of(decode_list(), prompt_list(), batch);
  EXPECT_EQ(few.summary.active_groups, 16);  // half of 33
}

TEST(PartitionShare, AListWithoutRivalsHasAllGroups) {
  BatchOfLengths decodes, prompts, almost;
  for (int i = 0; i < 64; ++i) decodes.add(1, 4096);
  prompts.add(8192, 8192);
  almost.add(8192, 8192);
  almost.add(1, 100);
  EXPECT_EQ(plan_of(decode_list(), prompt_list(), decodes).summary.active_groups, 33);
  EXPECT_EQ(plan_of(prompt_list(), decode_list(), decodes).summary.num_items, 0);
  EXPECT_EQ(plan_of(prompt_list(), decode_list(), prompts).summary.active_groups, 132);
  // Work too small for a group of its own runs behind the prompts, on all of the GPU.
  EXPECT_EQ(plan_of(prompt_list(), decode_list(), almost).summary.active_groups, 132);
  EXPECT_GT(plan_of(decode_list(), prompt_list(), almost).summary.num_items, 0);
}

TEST(PartitionShare, CostsOfRequestsAreThoseOfTheirTiles) {
  for (const int kv : {512, 700, 8192}) {
    for (const int qo : {1, 4, 5, 100, 512}) {
      const ScheduleSpec s = qo <= 4 ? decode_list() : prompt_list();
      int64_t exact = 0;
      for (int tile = 0; tile < num_tiles(s, qo); ++tile) {
        exact += tile_cost(s.cost, tile_range(s, qo, kv, tile)) * s.heads_per_lane;
      }
      EXPECT_NEAR(static_cast<double>(request_cost(s, qo, kv)) / static_cast<double>(exact), 1.0,
                  num_tiles(s, qo) == 1 ? 0.0 : 0.1)
          << qo << " on " << kv;
    }
  }
}

}  // namespace
}  // namespace weft::cases
