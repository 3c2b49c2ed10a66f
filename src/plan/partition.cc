// SPDX-License-Identifier: Apache-2.0
// See partition.h. Everything here is a pure function of its arguments.
#include "src/plan/partition.h"

#include <algorithm>

namespace weft {

PlanCapacity plan_capacity(const ScheduleSpec& spec, int64_t max_batch_size, int64_t max_nnz_qo) {
  // Each request rounds its rows up to tiles once; a group adds at most one cut tile at each end
  // and splits the heads of one tile into at most three items.
  const int64_t tiles = max_nnz_qo * spec.group_size / spec.qo_tile + max_batch_size;
  PlanCapacity capacity;
  capacity.items = tiles + int64_t{3} * spec.num_groups;
  capacity.merges = spec.num_groups;
  const int64_t rows_per_cut =
      spec.split_blocks > 0 ? spec.max_tile_partial_rows : int64_t{2} * spec.qo_tile;
  capacity.partial_rows = spec.num_groups * rows_per_cut;
  return capacity;
}

PlanSummary partition(const ScheduleSpec& spec, const BatchLengths& lengths, int32_t batch_size,
                      int32_t* work_indptr, WorkItem* items, MergeItem* merges) {
  PlanSummary summary;
  summary.batch_size = batch_size;
  for (int32_t r = 0; r < batch_size; ++r) summary.total_cost += request_cost(spec, lengths, r);
  summary.active_groups = active_groups(spec, summary.total_cost);

  PlanWriter writer{items, merges};
  TileCursor cursor;
  Cut begin = find_cut(spec, lengths, batch_size, 0, cursor);
  for (int32_t g = 0; g < spec.num_groups; ++g) {
    work_indptr[g] = writer.num_items;
    const int64_t target = group_begin(spec, summary.total_cost, g + 1);
    const Cut end = find_cut(spec, lengths, batch_size, target, cursor);
    emit_group(spec, lengths, begin, end, writer);
    begin = end;
  }
  work_indptr[spec.num_groups] = writer.num_items;
  summary.num_items = writer.num_items;
  summary.num_merges = writer.num_merges;
  summary.partial_rows = writer.partial_rows;
  return summary;
}

int64_t item_cost(const ScheduleSpec& spec, const BatchLengths& lengths, const WorkItem& item) {
  TileRange t = tile_range(spec, lengths.qo_len(item.request), lengths.kv_len(item.request),
                           item.row_begin / spec.qo_tile);
  const int32_t first = std::max(t.first_block, item.kv_begin / spec.kv_tile);
  t.num_blocks = std::max(0, ceil_div(item.kv_end, spec.kv_tile) - first);
  return tile_cost(spec.cost, t) * (item.head_end - item.head_begin);
}

double plan_balance(const ScheduleSpec& spec, const BatchLengths& lengths,
                    const PlanSummary& summary, const int32_t* work_indptr,
                    const WorkItem* items) {
  int64_t busiest = 0;
  int64_t total = 0;
  for (int32_t g = 0; g < spec.num_groups; ++g) {
    int64_t load = 0;
    for (int32_t i = work_indptr[g]; i < work_indptr[g + 1]; ++i) {
      load += item_cost(spec, lengths, items[i]);
    }
    busiest = std::max(busiest, load);
    total += load;
  }
  if (total == 0) return 1.0;
  return static_cast<double>(busiest) * summary.active_groups / static_cast<double>(total);
}

}  // namespace weft
