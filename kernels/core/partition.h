// SPDX-License-Identifier: Apache-2.0
// Stream-K partition of a batch: the tiles of all requests, laid end to end in cost, are cut into
// num_groups equal ranges. Where a range ends inside a tile, the tile's KV is split there. Each
// cut is a pure function of (lengths, group), so src/plan/partition.cc may walk the batch once and
// kernels/plan may give each group and each tile its own thread, with identical lists.
// No allocation, no recursion. Source: Osama et al., Stream-K, 2023 (work-centric decomposition).
#pragma once

#include "kernels/core/work.h"

namespace weft {

/// The cost of a lane dealt to the groups that get work: all of them, or fewer when a group's share
/// would be below min_blocks of one row's work and splitting would cost more than it brings.
/// REQUIRES: num_groups <= 65536, so that rest * g fits 32 bits.
struct GroupShares {
  int64_t total = 0;
  int64_t share = 0;  // total / active
  uint32_t rest = 0;  // total % active
  uint32_t active = 1;

  /// Cost position at which group g begins.
  WEFT_HD int64_t begin(int32_t g) const {
    const uint32_t group = static_cast<uint32_t>(g);
    return group >= active ? total : share * g + rest * group / active;
  }
};

WEFT_HD constexpr int64_t least_share(const ScheduleSpec& s) {
  return s.cost.fixed + int64_t{s.min_blocks} * block_cost(s.cost, 1);
}

inline constexpr int64_t kSpareFixed = 8;  // times the fixed cost of a piece

/// The tiles of equal requests, dealt to all but a few groups so that each gets whole ones or an
/// equal piece of one, leave nothing or the least to merge: on a GPU, whose memory a few idle
/// groups hardly slow down, 2 to 4 us of a short decode step.
/// `most_groups`: those this list may use, at most num_groups (kernels/core/share.h); a share is
/// used whole, since what it leaves idle computes nothing for the other list either.
WEFT_HD GroupShares group_shares(const ScheduleSpec& s, int64_t total_cost, int64_t num_tiles,
                                 int32_t most_groups) {
  uint32_t active =
      static_cast<uint32_t>(clamp_to<int64_t>(total_cost / least_share(s), 1, most_groups));
  int64_t share = total_cost / active;
  const int64_t all_tiles = num_tiles * s.heads_per_lane;
  const bool may_spare = s.spare_groups > 0 && most_groups == s.num_groups;
  if (may_spare && all_tiles > 0 && all_tiles < int64_t{1} << 30) {
    const uint32_t tiles = static_cast<uint32_t>(all_tiles);  // 32-bit divisions are far shorter
    const uint32_t each = (tiles + active - 1) / active;
    const uint32_t even = tiles > active ? (tiles + each - 1) / each : active / tiles * tiles;
    // What the others do more must not take long: at 250 us a call it lost 3 to 6 us.
    const bool short_enough = share * (active - even) <= kSpareFixed * s.cost.fixed * even;
    if (even < active && even + s.spare_groups >= active && short_enough) {
      active = even;
      share = total_cost / active;
    }
  }
  return {total_cost, share, static_cast<uint32_t>(total_cost - share * active), active};
}

/// Rounds an offset into a tile's cost to a block at which the tile may be cut: 0 and num_blocks
/// mean before and after it.
WEFT_HD int32_t cut_block(const ScheduleSpec& s, const TileRange& t, int64_t offset) {
  const int64_t per_block = block_cost(s.cost, t.rows);
  const int32_t n = t.num_blocks;
  const int64_t beyond = max_of<int64_t>(0, offset - s.cost.fixed + per_block / 2);
  const int64_t near = s.cost.per_block_row == 0 ? beyond / s.cost.per_block : beyond / per_block;
  const int32_t block = static_cast<int32_t>(min_of<int64_t>(near, n));
  const int32_t nearest_end = block * int64_t{2} < n ? 0 : n;
  if (s.split_blocks == 0) {
    const int32_t least = least_blocks(s, t.rows);
    if (n < 2 * least) return nearest_end;
    if (block < least) return block * 2 < least ? 0 : least;
    if (n - block < least) return (n - block) * 2 < least ? n : n - least;
    return block;
  }
  if (block == 0 || block == n) return block;
  const int64_t states = num_states(s, t, 0, t.kv_end);
  if (states * t.rows > s.max_tile_partial_rows) return nearest_end;
  const int32_t at = t.first_block + block;
  const int32_t rounded = (at + s.split_blocks / 2) / s.split_blocks * s.split_blocks;
  return clamp_to(rounded - t.first_block, 0, n);
}

/// A position inside a tile: everything before (head, block) is done. {0, 0} is its start and
/// {heads_per_lane, 0} its end; `block` is never num_blocks.
struct TilePoint {
  int32_t head = 0;
  int32_t block = 0;
  bool operator==(const TilePoint&) const = default;
};

/// Where a group ends that ends `offset` into the cost of a tile.
/// REQUIRES: 0 <= offset < tile_cost * heads_per_lane.
WEFT_HD TilePoint cut_tile(const ScheduleSpec& s, const TileRange& t, int64_t offset) {
  const int64_t one_head = tile_cost(s.cost, t);
  const int32_t head = s.heads_per_lane == 1 ? 0 : static_cast<int32_t>(offset / one_head);
  if (t.num_blocks == 0) return {head, 0};
  const int32_t block = cut_block(s, t, offset - head * one_head);
  return block == t.num_blocks ? TilePoint{head + 1, 0} : TilePoint{head, block};
}

/// The items of one tile between two points, in order: sink.piece(head, block_begin, block_end) for
/// a part of one head's KV, sink.whole(head_begin, head_end) for heads with all of theirs.
template <class Sink>
WEFT_HD void for_each_part(const TileRange& t, TilePoint from, TilePoint to, Sink& sink) {
  // One place for each call: the planner is as fast as its code is short.
  while (from.head < to.head || (from.head == to.head && from.block < to.block)) {
    if (from.head < to.head && from.block == 0) {
      sink.whole(from.head, to.head);
      from.head = to.head;
    } else {
      const bool last = from.head == to.head;
      sink.piece(from.head, from.block, last ? to.block : t.num_blocks);
      from = last ? to : TilePoint{from.head + 1, 0};
    }
  }
}

/// Heads [head_begin, head_end) of a tile with all of their KV.
WEFT_HD WorkItem whole_item(const ScheduleSpec& s, int32_t request, int32_t tile,
                            const TileRange& t, int32_t head_begin, int32_t head_end) {
  return {request, tile * s.qo_tile, head_begin, head_end, 0, t.kv_end, -1, -1};
}

/// Blocks [block_begin, block_end) of one head of a tile; its partial states are for the caller to
/// place.
WEFT_HD WorkItem piece_item(const ScheduleSpec& s, int32_t request, int32_t tile,
                            const TileRange& t, int32_t head, int32_t block_begin,
                            int32_t block_end) {
  WorkItem item = whole_item(s, request, tile, t, head, head + 1);
  if (block_begin > 0) item.kv_begin = (t.first_block + block_begin) * s.kv_tile;
  if (block_end < t.num_blocks) item.kv_end = (t.first_block + block_end) * s.kv_tile;
  return item;
}

}  // namespace weft
