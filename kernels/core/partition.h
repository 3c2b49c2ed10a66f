// SPDX-License-Identifier: Apache-2.0
// Stream-K partition of a batch: the tiles of all requests, laid end to end in cost, are cut into
// num_groups equal ranges. Where a range ends inside a tile, the tile's KV is split there. Each
// cut is a pure function of (lengths, group), so groups can be planned one after another on a host
// or each by its own thread on a device, with identical results. No allocation, no recursion.
// Source: Osama et al., Stream-K, 2023 (work-centric decomposition).
#pragma once

#include "kernels/core/work.h"

namespace weft {

/// A position in the order (request, tile, head, block): everything before it is done.
struct Cut {
  int32_t request = 0;
  int32_t tile = 0;
  int32_t head = 0;
  int32_t block = 0;
};

/// Start of a tile and the cost of all tiles before it, for one lane.
struct TileCursor {
  int32_t request = 0;
  int32_t tile = 0;
  int64_t cost = 0;
};

WEFT_HD int64_t request_cost(const ScheduleSpec& s, const BatchLengths& b, int32_t r) {
  const int32_t qo_len = b.qo_len(r);
  const int32_t kv_len = b.kv_len(r);
  const int32_t n = num_tiles(s, qo_len);
  int64_t cost = 0;
  for (int32_t t = 0; t < n; ++t) cost += tile_cost(s.cost, tile_range(s, qo_len, kv_len, t));
  return cost * s.heads_per_lane;
}

/// Groups that get work: all of them, or fewer when a group's share would be below min_blocks of
/// one row's work and splitting would cost more than it brings.
WEFT_HD int32_t active_groups(const ScheduleSpec& s, int64_t total_cost) {
  const int64_t least = s.cost.fixed + int64_t{s.min_blocks} * (s.cost.per_block +
                                                                s.cost.per_block_row);
  return static_cast<int32_t>(clamp_to<int64_t>(total_cost / least, 1, s.num_groups));
}

/// Cost position at which group g begins. REQUIRES: 0 <= g <= num_groups.
WEFT_HD int64_t group_begin(const ScheduleSpec& s, int64_t total_cost, int32_t g) {
  const int32_t active = active_groups(s, total_cost);
  return g >= active ? total_cost : total_cost / active * g + total_cost % active * g / active;
}

/// Rounds an offset into a tile's cost to a block at which the tile may be cut: 0 and num_blocks
/// mean before and after it.
WEFT_HD int32_t cut_block(const ScheduleSpec& s, const TileRange& t, int64_t offset) {
  const int64_t per_block = s.cost.per_block + int64_t{t.rows} * s.cost.per_block_row;
  const int32_t n = t.num_blocks;
  const int64_t near = (offset - s.cost.fixed + per_block / 2) / per_block;
  const int32_t block = static_cast<int32_t>(clamp_to<int64_t>(near, 0, n));
  const int32_t nearest_end = block * int64_t{2} < n ? 0 : n;
  if (s.split_blocks == 0) {
    if (n < 2 * s.min_blocks) return nearest_end;
    if (block < s.min_blocks) return block * 2 < s.min_blocks ? 0 : s.min_blocks;
    if (n - block < s.min_blocks) return (n - block) * 2 < s.min_blocks ? n : n - s.min_blocks;
    return block;
  }
  if (block == 0 || block == n) return block;
  const int64_t states = num_states(s, t, 0, t.kv_end);
  if (states * t.rows > s.max_tile_partial_rows) return nearest_end;
  const int32_t at = t.first_block + block;
  const int32_t rounded = (at + s.split_blocks / 2) / s.split_blocks * s.split_blocks;
  return clamp_to(rounded - t.first_block, 0, n);
}

/// Moves `cursor` forward to the tile that contains cost position `target` and returns the cut
/// there. REQUIRES: cursor.cost <= target.
WEFT_HD Cut find_cut(const ScheduleSpec& s, const BatchLengths& b, int32_t batch_size,
                     int64_t target, TileCursor& cursor) {
  for (; cursor.request < batch_size; ++cursor.request, cursor.tile = 0) {
    const int32_t qo_len = b.qo_len(cursor.request);
    const int32_t kv_len = b.kv_len(cursor.request);
    const int32_t n = num_tiles(s, qo_len);
    for (; cursor.tile < n; ++cursor.tile) {
      const TileRange t = tile_range(s, qo_len, kv_len, cursor.tile);
      const int64_t one = tile_cost(s.cost, t);
      if (cursor.cost + one * s.heads_per_lane <= target) {
        cursor.cost += one * s.heads_per_lane;
        continue;
      }
      Cut cut{cursor.request, cursor.tile, 0, 0};
      const int64_t offset = target - cursor.cost;
      cut.head = static_cast<int32_t>(offset / one);
      cut.block = t.num_blocks == 0 ? 0 : cut_block(s, t, offset % one);
      if (cut.block == t.num_blocks && cut.block > 0) {
        cut.block = 0;
        ++cut.head;
      }
      if (cut.head == s.heads_per_lane) return Cut{cut.request, cut.tile + 1, 0, 0};
      return cut;
    }
  }
  return Cut{batch_size, 0, 0, 0};
}

/// Receives the lists in order. A merge left open by one group is continued by the next.
struct PlanWriter {
  WorkItem* items = nullptr;
  MergeItem* merges = nullptr;
  int32_t num_items = 0;
  int32_t num_merges = 0;
  int32_t partial_rows = 0;
};

/// Emits one item. Pieces of one tile arrive in KV order, the first with block 0.
WEFT_HD void emit_item(const ScheduleSpec& s, const Cut& at, const TileRange& t, int32_t head_begin,
                       int32_t head_end, int32_t block_begin, int32_t block_end, PlanWriter& w) {
  WorkItem item{};
  item.request = at.request;
  item.row_begin = at.tile * s.qo_tile;
  item.head_begin = head_begin;
  item.head_end = head_end;
  item.kv_begin = block_begin == 0 ? 0 : (t.first_block + block_begin) * s.kv_tile;
  item.kv_end = block_end == t.num_blocks ? t.kv_end : (t.first_block + block_end) * s.kv_tile;
  item.partial_row = -1;
  item.merge = -1;
  if (block_begin > 0 || block_end < t.num_blocks) {
    if (block_begin == 0) {
      w.merges[w.num_merges++] = MergeItem{item.request, item.row_begin, t.rows,        head_begin,
                                           0,            0,              w.partial_rows};
    }
    MergeItem& merge = w.merges[w.num_merges - 1];
    const int32_t states = num_states(s, t, item.kv_begin, item.kv_end);
    item.partial_row = w.partial_rows;
    item.merge = w.num_merges - 1;
    merge.num_pieces += 1;
    merge.num_states += states;
    w.partial_rows += states * t.rows;
  }
  w.items[w.num_items++] = item;
}

/// Emits the part of tile (at.request, at.tile) between (head h0, block b0) and (h1, b1).
WEFT_HD void emit_tile(const ScheduleSpec& s, const Cut& at, const TileRange& t, int32_t h0,
                       int32_t b0, int32_t h1, int32_t b1, PlanWriter& w) {
  if (h0 == h1) {
    if (b0 < b1) emit_item(s, at, t, h0, h0 + 1, b0, b1, w);
    return;
  }
  if (b0 > 0) {
    emit_item(s, at, t, h0, h0 + 1, b0, t.num_blocks, w);
    ++h0;
  }
  if (h0 < h1) emit_item(s, at, t, h0, h1, 0, t.num_blocks, w);
  if (b1 > 0) emit_item(s, at, t, h1, h1 + 1, 0, b1, w);
}

/// Emits all items between two cuts: the list of one group.
WEFT_HD void emit_group(const ScheduleSpec& s, const BatchLengths& b, const Cut& begin,
                        const Cut& end, PlanWriter& w) {
  Cut at = begin;
  for (; at.request <= end.request; ++at.request, at.tile = 0, at.head = 0, at.block = 0) {
    const bool last_request = at.request == end.request;
    if (last_request && end.tile == 0 && end.head == 0 && end.block == 0) return;
    const int32_t qo_len = b.qo_len(at.request);
    const int32_t kv_len = b.kv_len(at.request);
    const int32_t n = num_tiles(s, qo_len);
    for (; at.tile < n; ++at.tile, at.head = 0, at.block = 0) {
      const bool last = last_request && at.tile == end.tile;
      if (last && end.head == 0 && end.block == 0) return;
      const TileRange t = tile_range(s, qo_len, kv_len, at.tile);
      emit_tile(s, at, t, at.head, at.block, last ? end.head : s.heads_per_lane,
                last ? end.block : 0, w);
      if (last) return;
    }
  }
}

}  // namespace weft
