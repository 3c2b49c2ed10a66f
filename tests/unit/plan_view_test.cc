// SPDX-License-Identifier: Apache-2.0
// The check of a plan's coverage must itself be checked: it passes a right plan and names each kind
// of wrong one.
#include "tools/weft/plan_view.h"

#include <gtest/gtest.h>

#include "weft/error.h"

namespace weft::cli {
namespace {

// Two requests: a decode over 100 keys, and 3 new tokens at the end of 10. Group size 2, tiles of 4
// rows; one lane with both KV heads. The decode's second head is split.
PlanView right_plan() {
  PlanView plan;
  plan.unit = "cpu_scalar";
  plan.batch_size = 2;
  plan.num_groups = 2;
  plan.head_lanes = 1;
  plan.heads_per_lane = 2;
  plan.group_size = 2;
  plan.qo_tile = 4;
  plan.kv_tile = 16;
  plan.num_merges = 1;
  plan.groups = {{{0, 0, 0, 1, 0, 100, -1, -1, 10}, {0, 0, 1, 2, 0, 48, 0, 0, 5}},
                 {{0, 0, 1, 2, 48, 100, 0, 2, 5},
                  {1, 0, 0, 2, 0, 9, -1, -1, 4},
                  {1, 4, 0, 2, 0, 10, -1, -1, 4}}};
  return plan;
}

BatchShape shape() { return {{1, 3}, {100, 10}, 4, 2, true}; }

TEST(CheckPlan, PassesARightPlan) { EXPECT_EQ(check_plan(right_plan(), shape()), ""); }

struct Mistake {
  const char* name;
  void (*make)(PlanView& plan);
};

class WrongPlan : public testing::TestWithParam<Mistake> {};

TEST_P(WrongPlan, IsRefused) {
  PlanView plan = right_plan();
  GetParam().make(plan);
  EXPECT_NE(check_plan(plan, shape()), "");
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongPlan,
    testing::Values(
        Mistake{"item_missing", [](PlanView& p) { p.groups[1].pop_back(); }},
        Mistake{"item_twice", [](PlanView& p) { p.groups[1].push_back(p.groups[1].back()); }},
        Mistake{"head_missing", [](PlanView& p) { p.groups[1][1].head_end = 1; }},
        Mistake{"keys_missing_between", [](PlanView& p) { p.groups[1][0].kv_begin = 49; }},
        Mistake{"keys_twice", [](PlanView& p) { p.groups[1][0].kv_begin = 47; }},
        Mistake{"first_keys_missing", [](PlanView& p) { p.groups[0][0].kv_begin = 1; }},
        Mistake{"last_keys_missing", [](PlanView& p) { p.groups[1][0].kv_end = 99; }},
        Mistake{"beyond_the_causal_end", [](PlanView& p) { p.groups[1][1].kv_end = 10; }},
        Mistake{"short_of_the_causal_end", [](PlanView& p) { p.groups[1][2].kv_end = 9; }},
        Mistake{"split_without_merge",
                [](PlanView& p) { p.groups[1][0].merge = p.groups[1][0].partial_row = -1; }},
        Mistake{"merge_without_split",
                [](PlanView& p) { p.groups[0][0].merge = p.groups[0][0].partial_row = 0; }},
        Mistake{"another_merge", [](PlanView& p) { p.num_merges = 2, p.groups[1][0].merge = 1; }},
        Mistake{"unknown_merge",
                [](PlanView& p) { p.groups[0][1].merge = p.groups[1][0].merge = 7; }},
        Mistake{"unknown_request", [](PlanView& p) { p.groups[1][2].request = 2; }},
        Mistake{"unknown_row", [](PlanView& p) { p.groups[1][2].row_begin = 8; }},
        Mistake{"odd_row", [](PlanView& p) { p.groups[1][2].row_begin = 3; }},
        Mistake{"batch_size", [](PlanView& p) { p.batch_size = 1; }},
        Mistake{"heads", [](PlanView& p) { p.heads_per_lane = 1; }},
        Mistake{"group_missing", [](PlanView& p) { p.num_groups = 3; }}),
    [](const auto& info) { return info.param.name; });

TEST(ViewPlan, RefusesWhatIsNoPlan) {
  EXPECT_THROW(view_plan("{}"), Error);
  EXPECT_THROW(view_plan("{\"unit\":"), Error);
}

}  // namespace
}  // namespace weft::cli
