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

using PlanGroup = std::vector<PlanItem>;
int64_t group_cost(const PlanGroup& group);

/// Serves the requests with least_rows..most_rows packed rows.
struct PlanList {
  int least_rows = 1, most_rows = 0;
  int num_groups = 0, head_lanes = 0, heads_per_lane = 0;
  int group_size = 0, qo_tile = 0, kv_tile = 0, num_merges = 0;
  double balance = 1;
  std::vector<PlanGroup> groups;

  bool serves(int64_t rows) const { return rows >= least_rows && rows <= most_rows; }
  int num_items() const;
};

struct PlanView {
  std::string unit;
  int batch_size = 0;
  std::vector<PlanList> lists;

  std::vector<PlanGroup> groups() const;  // of all lists, one list after the other
};

/// Reads AttentionPlan::explain_json(). Throws Error(internal) when it is not what it should be.
PlanView view_plan(const std::string& json);

struct BatchShape {
  std::vector<int> qo_lens, kv_lens;
  int num_qo_heads = 0, num_kv_heads = 0;
  bool causal = true;

  int size() const { return static_cast<int>(qo_lens.size()); }
  int group_size() const { return num_qo_heads / num_kv_heads; }
};

/// "" when the plan covers the batch exactly, else the first thing that is wrong.
std::string check_plan(const PlanView& plan, const BatchShape& batch);

}  // namespace weft::cli
