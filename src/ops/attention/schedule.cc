// SPDX-License-Identifier: Apache-2.0
// Sizes the workspace and writes the schedule of a checked batch into it. Knows lengths only.
#include <algorithm>

#include "src/base/check.h"
#include "src/ops/attention/plan.h"

namespace weft {
namespace {

void check_same_partials(const AttentionLayout& partials, size_t rows) {
  if (partials.partial_m.count >= rows) return;
  fail(ErrorKind::internal, "partials", std::to_string(rows) + " rows",
       std::to_string(partials.partial_m.count));
}

}  // namespace

AttentionLayout attention_layout(const AttentionConfig& config, const AttentionSpec& spec,
                                 Arena& arena, const AttentionLayout* partials) {
  const ScheduleSpec& s = spec.schedule;
  const PlanCapacity capacity = plan_capacity(s, config.max_batch_size, config.max_nnz_qo);
  const size_t lanes = static_cast<size_t>(s.head_lanes);
  const size_t rows = lanes * static_cast<size_t>(capacity.partial_rows);
  AttentionLayout layout;
  layout.work_indptr = arena.take<int32_t>(static_cast<size_t>(s.num_groups) + 1);
  layout.items = arena.take<WorkItem>(static_cast<size_t>(capacity.items));
  layout.merges = arena.take<MergeItem>(static_cast<size_t>(capacity.merges));
  layout.merge_arrivals = arena.take<int32_t>(static_cast<size_t>(capacity.merges) * lanes);
  layout.partial_rows = static_cast<int>(capacity.partial_rows);
  if (partials != nullptr) {
    check_same_partials(*partials, rows);
    layout.partial_o = partials->partial_o;
    layout.partial_m = partials->partial_m;
    layout.partial_d = partials->partial_d;
    return layout;
  }
  layout.partial_o = arena.take<float>(rows * static_cast<size_t>(spec.head_dim_vo));
  layout.partial_m = arena.take<float>(rows);
  layout.partial_d = arena.take<float>(rows);
  return layout;
}

void hold_batch(const CheckedBatch& batch, detail::AttentionPlanImpl& plan) {
  plan.lengths = batch.lengths;
  plan.kv_indices = batch.kv_indices;
  plan.batch_size = batch.batch_size;
  plan.nnz_qo = batch.nnz_qo;
  plan.nnz_kv = batch.nnz_kv;
  plan.max_page_id = batch.max_page_id;
  plan.planned = plan.fresh = true;
}

void schedule_attention(const CheckedBatch& batch, detail::AttentionPlanImpl& plan) {
  const AttentionLayout& layout = plan.layout;
  const ScheduleSpec& s = plan.spec.schedule;
  plan.summary = partition(s, batch.lengths, batch.batch_size, layout.work_indptr.in(plan.base),
                           layout.items.in(plan.base), layout.merges.in(plan.base));
  std::fill_n(layout.merge_arrivals.in(plan.base), plan.summary.num_merges * s.head_lanes, 0);
  hold_batch(batch, plan);
}

}  // namespace weft
