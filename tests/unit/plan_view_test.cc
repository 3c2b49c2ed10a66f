// SPDX-License-Identifier: Apache-2.0
// The check of a plan's coverage must itself be checked: it passes a right plan and names each kind
// of wrong one.
#include "tools/weft/plan_view.h"

#include <gtest/gtest.h>

#include "weft/error.h"

namespace weft::cli {
namespace {

// Two requests: a decode over 100 keys, and 3 new tokens at the end of 10. Group size 2, tiles of 4
// rows; one lane with both KV heads. The decode's second head is split. One list serves both, the
// other nobody.
PlanView right_plan() {
  PlanList list{.least_rows = 1,
                .most_rows = 6,
                .num_groups = 2,
                .head_lanes = 1,
                .heads_per_lane = 2,
                .group_size = 2,
                .qo_tile = 4,
                .kv_tile = 16,
                .num_merges = 1};
  list.groups = {{{0, 0, 0, 1, 0, 100, -1, -1, 10}, {0, 0, 1, 2, 0, 48, 0, 0, 5}},
                 {{0, 0, 1, 2, 48, 100, 0, 2, 5},
                  {1, 0, 0, 2, 0, 9, -1, -1, 4},
                  {1, 4, 0, 2, 0, 10, -1, -1, 4}}};
  PlanList idle = list;
  idle.least_rows = 7, idle.most_rows = 100, idle.num_merges = 0;
  idle.groups = {{}, {}};
  return {.unit = "cpu_scalar", .batch_size = 2, .lists = {list, idle}};
}

/// The same work, the decode's in a list of its own.
PlanView plan_of_two_lists() {
  PlanView plan = right_plan();
  PlanList &decode = plan.lists[0], &prefill = plan.lists[1];
  prefill.groups[1] = {decode.groups[1][1], decode.groups[1][2]};
  decode.groups[1].resize(1);
  decode.most_rows = 2, prefill.least_rows = 3;
  return plan;
}

BatchShape shape() { return {{1, 3}, {100, 10}, 4, 2, true}; }

TEST(CheckPlan, PassesARightPlan) {
  EXPECT_EQ(check_plan(right_plan(), shape()), "");
  EXPECT_EQ(check_plan(plan_of_two_lists(), shape()), "");
}

TEST(CheckPlan, ARequestIsServedByOneList) {
  PlanView plan = plan_of_two_lists();
  plan.lists[1].least_rows = 7;
  EXPECT_NE(check_plan(plan, shape()), "");
  plan.lists[1].least_rows = 2;
  EXPECT_NE(check_plan(plan, shape()), "");
}

struct Mistake {
  const char* name;
  void (*make)(PlanList& list);
};

class WrongPlan : public testing::TestWithParam<Mistake> {};

TEST_P(WrongPlan, IsRefused) {
  PlanView plan = right_plan();
  GetParam().make(plan.lists[0]);
  EXPECT_NE(check_plan(plan, shape()), "");
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongPlan,
    testing::Values(
        Mistake{"item_missing", [](PlanList& p) { p.groups[1].pop_back(); }},
        Mistake{"item_twice", [](PlanList& p) { p.groups[1].push_back(p.groups[1].back()); }},
        Mistake{"head_missing", [](PlanList& p) { p.groups[1][1].head_end = 1; }},
        Mistake{"keys_missing_between", [](PlanList& p) { p.groups[1][0].kv_begin = 49; }},
        Mistake{"keys_twice", [](PlanList& p) { p.groups[1][0].kv_begin = 47; }},
        Mistake{"first_keys_missing", [](PlanList& p) { p.groups[0][0].kv_begin = 1; }},
        Mistake{"last_keys_missing", [](PlanList& p) { p.groups[1][0].kv_end = 99; }},
        Mistake{"beyond_the_causal_end", [](PlanList& p) { p.groups[1][1].kv_end = 10; }},
        Mistake{"short_of_the_causal_end", [](PlanList& p) { p.groups[1][2].kv_end = 9; }},
        Mistake{"split_without_merge",
                [](PlanList& p) { p.groups[1][0].merge = p.groups[1][0].partial_row = -1; }},
        Mistake{"merge_without_split",
                [](PlanList& p) { p.groups[0][0].merge = p.groups[0][0].partial_row = 0; }},
        Mistake{"another_merge", [](PlanList& p) { p.num_merges = 2, p.groups[1][0].merge = 1; }},
        Mistake{"unknown_merge",
                [](PlanList& p) { p.groups[0][1].merge = p.groups[1][0].merge = 7; }},
        Mistake{"unknown_request", [](PlanList& p) { p.groups[1][2].request = 2; }},
        Mistake{"unknown_row", [](PlanList& p) { p.groups[1][2].row_begin = 8; }},
        Mistake{"odd_row", [](PlanList& p) { p.groups[1][2].row_begin = 3; }},
        Mistake{"serves_fewer", [](PlanList& p) { p.most_rows = 5; }},
        Mistake{"heads", [](PlanList& p) { p.heads_per_lane = 1; }},
        Mistake{"group_missing", [](PlanList& p) { p.num_groups = 3; }}),
    [](const auto& info) { return info.param.name; });

TEST(CheckPlan, TheBatchSizeIsThatOfThePlan) {
  PlanView plan = right_plan();
  plan.batch_size = 1;
  EXPECT_EQ(check_plan(plan, shape()), "another batch size");
}

TEST(ViewPlan, RefusesWhatIsNoPlan) {
  EXPECT_THROW(view_plan("{}"), Error);
  EXPECT_THROW(view_plan("{\"unit\":"), Error);
}

}  // namespace
}  // namespace weft::cli
