// SPDX-License-Identifier: Apache-2.0
// See partition.h. Everything here is a pure function of its arguments.
#include "src/plan/partition.h"

#include <algorithm>

namespace weft {

PlanCapacity plan_capacity(const ScheduleSpec& spec, int64_t max_batch_size, int64_t max_nnz_qo) {
  // Each request rounds its rows up to tiles once; a group adds at most one cut tile at each end
  // and splits the heads of one tile into at most three items.
  const int64_t full_tiles =
      spec.most_rows <= spec.qo_tile ? 0 : max_nnz_qo * spec.group_size / spec.qo_tile;
  const int64_t tiles = full_tiles + max_batch_size;
  PlanCapacity capacity;
  capacity.items = tiles + int64_t{3} * spec.num_groups;
  capacity.merges = spec.num_groups;
  const int64_t rows_per_cut =
      spec.split_blocks > 0 ? spec.max_tile_partial_rows : int64_t{2} * spec.qo_tile;
  capacity.partial_rows = spec.num_groups * rows_per_cut;
  return capacity;
}

namespace {

// The lists as they grow, and the group being filled.
struct Lists {
  const ScheduleSpec& spec;
  const GroupShares shares;
  int32_t* work_indptr;
  WorkItem* items;
  MergeItem* merges;
  int32_t group = 0;
  int64_t group_end = shares.begin(1);
  int32_t num_items = 0;
  int32_t num_merges = 0;
  int32_t partial_rows = 0;

  void tiles_of_request(int32_t request, int32_t qo_len, int32_t kv_len, int64_t& cost);
};

// Receives the parts of one tile. Pieces of one head arrive in KV order, the first with block 0; a
// merge that one group leaves open is continued by the next.
struct TileParts {
  Lists& lists;
  const int32_t request;
  const int32_t tile;
  const TileRange range;

  void whole(int32_t head_begin, int32_t head_end) {
    lists.items[lists.num_items++] =
        whole_item(lists.spec, request, tile, range, head_begin, head_end);
  }

  void piece(int32_t head, int32_t block_begin, int32_t block_end) {
    WorkItem item = piece_item(lists.spec, request, tile, range, head, block_begin, block_end);
    if (block_begin == 0) {
      lists.merges[lists.num_merges++] =
          MergeItem{request, item.row_begin, range.rows, head, 0, 0, lists.partial_rows};
    }
    item.merge = lists.num_merges - 1;
    item.partial_row = lists.partial_rows;
    const int32_t states = num_states(lists.spec, range, item.kv_begin, item.kv_end);
    lists.merges[item.merge].num_pieces += 1;
    lists.merges[item.merge].num_states += states;
    lists.partial_rows += states * range.rows;
    lists.items[lists.num_items++] = item;
  }
};

// Any request: many tiles, or one in which groups end. `cost` is that of all tiles before, then of
// those of this request too.
void Lists::tiles_of_request(int32_t request, int32_t qo_len, int32_t kv_len, int64_t& cost) {
  const int32_t n = num_tiles(spec, qo_len);
  for (int32_t tile = 0; tile < n; ++tile) {
    TileParts parts{*this, request, tile, tile_range(spec, qo_len, kv_len, tile)};
    const int64_t before = cost;
    cost += tile_cost(spec.cost, parts.range) * spec.heads_per_lane;
    TilePoint at;
    for (; group_end < cost; group_end = shares.begin(group + 1)) {
      const TilePoint end = cut_tile(spec, parts.range, group_end - before);
      for_each_part(parts.range, at, end, parts);
      work_indptr[++group] = num_items;
      at = end;
    }
    for_each_part(parts.range, at, TilePoint{spec.heads_per_lane, 0}, parts);
  }
}

[[gnu::noinline]] int64_t many_tiles_cost(const ScheduleSpec& spec, int32_t qo_len,
                                          int32_t kv_len) {
  const int32_t n = num_tiles(spec, qo_len);
  int64_t cost = 0;
  for (int32_t tile = 0; tile < n; ++tile) {
    cost += tile_cost(spec.cost, tile_range(spec, qo_len, kv_len, tile));
  }
  return cost;
}

// The two passes below keep the common request, one tile of a decode step that stays whole, in
// registers: everything else is out of line, and specs are copies that no store can alias.
// 1024 such requests: 4.6 us; with one general loop 9 us.

struct BatchCost {
  int64_t lane = 0;
  int64_t tiles = 0;
};

BatchCost cost_of_batch(const ScheduleSpec& from, const BatchLengths& lengths_from, int32_t n) {
  const ScheduleSpec spec = from;
  const BatchLengths lengths = lengths_from;
  int64_t cost = 0;
  int64_t tiles = 0;
  for (int32_t r = 0; r < n; ++r) {
    const int32_t qo_len = lengths.qo_len(r);
    const int32_t kv_len = lengths.kv_len(r);
    const int32_t rows = qo_len * spec.group_size;
    if (!spec.serves(rows)) continue;
    if (rows > spec.qo_tile) {
      tiles += num_tiles(from, qo_len);
      cost += many_tiles_cost(from, qo_len, kv_len);
    } else {
      tiles += 1;
      cost += tile_cost(spec.cost, only_tile(spec, qo_len, kv_len));
    }
  }
  return {cost * spec.heads_per_lane, tiles};
}

int32_t groups_of(const ScheduleSpec& spec, const ScheduleSpec& beside, const BatchLengths& lengths,
                  int32_t n) {
  if (beside.serves_none()) return spec.num_groups;
  ListCosts costs;
  for (int32_t r = 0; r < n; ++r) {
    costs.own += request_cost(spec, lengths.qo_len(r), lengths.kv_len(r));
    costs.beside += request_cost(beside, lengths.qo_len(r), lengths.kv_len(r));
  }
  return groups_beside(spec, beside, costs);
}

void walk(const BatchLengths& lengths_from, int32_t n, Lists& lists) {
  const ScheduleSpec spec = lists.spec;
  const BatchLengths lengths = lengths_from;
  WorkItem* next = lists.items;
  int64_t group_end = lists.group_end;
  int64_t cost = 0;
  for (int32_t r = 0; r < n; ++r) {
    const int32_t qo_len = lengths.qo_len(r);
    const int32_t kv_len = lengths.kv_len(r);
    if (!spec.serves(qo_len * spec.group_size)) continue;
    if (qo_len * spec.group_size <= spec.qo_tile) {
      const TileRange range = only_tile(spec, qo_len, kv_len);
      const int64_t after = cost + tile_cost(spec.cost, range) * spec.heads_per_lane;
      if (after <= group_end) {
        *next++ = whole_item(spec, r, 0, range, 0, spec.heads_per_lane);
        cost = after;
        continue;
      }
    }
    lists.num_items = static_cast<int32_t>(next - lists.items);
    lists.tiles_of_request(r, qo_len, kv_len, cost);
    next = lists.items + lists.num_items;
    group_end = lists.group_end;
  }
  lists.num_items = static_cast<int32_t>(next - lists.items);
}

}  // namespace

PlanSummary partition(const ScheduleSpec& spec, const BatchLengths& lengths, int32_t batch_size,
                      int32_t* work_indptr, WorkItem* items, MergeItem* merges,
                      const ScheduleSpec& beside) {
  const BatchCost total = cost_of_batch(spec, lengths, batch_size);
  const GroupShares shares =
      group_shares(spec, total.lane, total.tiles, groups_of(spec, beside, lengths, batch_size));
  Lists lists{spec, shares, work_indptr, items, merges};
  work_indptr[0] = 0;
  walk(lengths, batch_size, lists);
  while (lists.group < spec.num_groups) work_indptr[++lists.group] = lists.num_items;

  PlanSummary summary;
  summary.batch_size = batch_size;
  summary.num_items = lists.num_items;
  summary.num_merges = lists.num_merges;
  summary.partial_rows = lists.partial_rows;
  summary.active_groups = static_cast<int32_t>(lists.shares.active);
  summary.total_cost = total.lane;
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
                    const PlanSummary& summary, const int32_t* work_indptr, const WorkItem* items) {
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
