// SPDX-License-Identifier: Apache-2.0
// The host's walk over kernels/core/partition.h: one pass for the cost, one for the lists. Called
// by an operator's schedule; knows lengths and lists, no tensors and no operator.
#pragma once

#include <cstdint>

#include "kernels/core/partition.h"
#include "kernels/core/share.h"

namespace weft {

/// Capacities that hold any batch within the limits.
struct PlanCapacity {
  int64_t items = 0;
  int64_t merges = 0;
  int64_t partial_rows = 0;  // of one lane
};

PlanCapacity plan_capacity(const ScheduleSpec& spec, int64_t max_batch_size, int64_t max_nnz_qo);

/// Counts of one plan.
struct PlanSummary {
  int32_t batch_size = 0;
  int32_t num_items = 0;
  int32_t num_merges = 0;
  int32_t partial_rows = 0;
  int32_t active_groups = 0;
  int64_t total_cost = 0;  // of one lane
};

/// Fills work_indptr [num_groups + 1], items and merges, which have plan_capacity's sizes.
/// `beside`: the schedule of the list that runs at the same time, where there is one.
PlanSummary partition(const ScheduleSpec& spec, const BatchLengths& lengths, int32_t batch_size,
                      int32_t* work_indptr, WorkItem* items, MergeItem* merges,
                      const ScheduleSpec& beside = no_requests());

/// Cost of one item by the model, fixed part included for each piece.
int64_t item_cost(const ScheduleSpec& spec, const BatchLengths& lengths, const WorkItem& item);

/// Load of the busiest group over the mean of those that have work; 1 for an empty plan.
double plan_balance(const ScheduleSpec& spec, const BatchLengths& lengths,
                    const PlanSummary& summary, const int32_t* work_indptr, const WorkItem* items);

}  // namespace weft
