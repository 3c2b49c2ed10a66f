// SPDX-License-Identifier: Apache-2.0
// A plan as its public JSON shows it, and the check that it covers a batch exactly: every query row
// of every request and head, with every key it may see, once. Written from the contract; shares no
// code with the scheduler it judges.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weft::cli {

struct PlanItem {
  int request, row_begin, head_begin, head_end, kv_begin, kv_end, merge, partial_row;
  int64_t cost;
};

struct PlanView {
  std::string unit;
  int batch_size = 0, num_groups = 0, head_lanes = 0, heads_per_lane = 0;
  int group_size = 0, qo_tile = 0, kv_tile = 0, num_merges = 0;
  double balance = 1;
  std::vector<std::vector<PlanItem>> groups;

  int64_t group_cost(int group) const;
  int num_items() const;
};

/// Reads AttentionPlan::explain_json(). Throws Error(internal) when it is not what it should be.
PlanView view_plan(const std::string& json);

struct BatchShape {
  std::vector<int> qo_lens, kv_lens;
  int num_qo_heads = 0, num_kv_heads = 0;
  bool causal = true;
};

/// "" when the plan covers the batch exactly, else the first thing that is wrong.
std::string check_plan(const PlanView& plan, const BatchShape& batch);

}  // namespace weft::cli
