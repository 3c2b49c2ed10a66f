// SPDX-License-Identifier: Apache-2.0
// The plan's vocabulary: who computes which tile. Made by kernels/core/partition.h on the host or
// in a one-CTA kernel, executed by every attention backend. Knows lengths, never tensors.
//
// A *tile* is up to qo_tile packed query rows of one request and one KV head (packed row p is token
// p / group_size, head p % group_size of the group). KV heads are dealt to `head_lanes` lanes; all
// lanes run the same item list, lane l over heads [l * heads_per_lane, (l + 1) * heads_per_lane).
// Worker w = group * head_lanes + lane, so lanes of one group read the heads of one page together.
#pragma once

#include "kernels/core/base.h"

namespace weft {

/// Integer cost of one tile, in about nanoseconds of one worker:
/// fixed + blocks * (per_block + rows * per_block_row).
struct CostModel {
  int32_t fixed = 1;
  int32_t per_block = 1;
  int32_t per_block_row = 0;
  int32_t per_piece_row = 0;  // of a tile that is cut: least work of a piece for each of its rows
  bool operator==(const CostModel&) const = default;
};

/// What `select` fixes of the schedule.
struct ScheduleSpec {
  int32_t group_size = 1;
  int32_t qo_tile = 1;  // most packed rows of a tile
  int32_t kv_tile = 1;  // tokens of a KV block, the unit of a cut
  int32_t num_groups = 1;
  int32_t head_lanes = 1;
  int32_t heads_per_lane = 1;
  bool causal = false;
  int32_t window_left = -1;  // the planning hint; results never depend on it
  int32_t split_blocks = 0;  // > 0: cuts only at multiples of so many blocks (batch-invariant)
  int32_t min_blocks = 1;    // least blocks of a piece
  int32_t spare_groups = 0;  // may stay idle, where the others then get whole tiles
  int32_t max_tile_partial_rows = 0;  // split_blocks > 0: a tile needing more is not cut
  // Requests with fewer or more packed rows are left to another list of the same plan, which runs
  // at the same time (kernels/core/share.h).
  int32_t least_rows = 1;
  int32_t most_rows = 0x7fffffff;
  int32_t enough_percent = 100;  // of the groups, running alone, take no longer than all of them
  CostModel cost;

  WEFT_HD constexpr int32_t num_workers() const { return num_groups * head_lanes; }
  WEFT_HD constexpr bool serves(int32_t rows) const {
    return rows >= least_rows && rows <= most_rows;
  }
  WEFT_HD constexpr bool serves_none() const { return most_rows < least_rows; }
  bool operator==(const ScheduleSpec&) const = default;
};

/// Whole tiles of heads [head_begin, head_end) of the lane, or one piece of one head's tile.
/// A whole tile or the first piece owns KV from 0, whatever the window; the executor starts at the
/// first visible block.
struct alignas(16) WorkItem {
  int32_t request;
  int32_t row_begin;  // first packed row of the tile
  int32_t head_begin;
  int32_t head_end;
  int32_t kv_begin;
  int32_t kv_end;
  int32_t partial_row;  // first row of its partial states; -1 = whole: the item writes o itself
  int32_t merge;        // index of its MergeItem; -1 = whole
  bool operator==(const WorkItem&) const = default;
};

/// A tile cut into pieces: `num_states` states of `rows` rows each, contiguous from partial_row in
/// ascending KV order. Whichever piece finishes last folds them in that order.
struct alignas(16) MergeItem {
  int32_t request;
  int32_t row_begin;
  int32_t rows;
  int32_t head;  // within the lane
  int32_t num_pieces;
  int32_t num_states;
  int32_t partial_row;
  int32_t zero = 0;  // so that it has 32 bytes
  bool operator==(const MergeItem&) const = default;
};

/// Where the lengths of a batch live. `last_page_len` is read only when page_size > 0.
struct BatchLengths {
  const int32_t* qo_indptr = nullptr;
  const int32_t* kv_indptr = nullptr;
  const int32_t* last_page_len = nullptr;
  int32_t page_size = 0;

  WEFT_HD int32_t qo_len(int32_t r) const { return qo_indptr[r + 1] - qo_indptr[r]; }
  WEFT_HD int32_t kv_len(int32_t r) const {
    // Read in any case: on a device, a load that would else wait for the other two.
    const int32_t last = page_size == 0 ? 0 : last_page_len[r];
    const int32_t n = kv_indptr[r + 1] - kv_indptr[r];
    return page_size == 0 || n == 0 ? n : (n - 1) * page_size + last;
  }
};

/// Rows and KV range of one tile. Block b covers tokens [(first_block + b) * kv_tile, ...).
struct TileRange {
  int32_t rows;
  int32_t first_block;
  int32_t num_blocks;
  int32_t kv_end;  // keys at or beyond it are visible to no row of the tile
};

/// First key that query token `i` may see under `window_left` (< 0: none is hidden).
/// REQUIRES: 0 <= i < qo_len, 0 <= kv_len.
WEFT_HD constexpr int32_t window_begin(int32_t i, int32_t qo_len, int32_t kv_len,
                                       int32_t window_left) {
  const int32_t diagonal = kv_len - qo_len + i;
  if (window_left < 0 || diagonal <= window_left) return 0;
  return diagonal - window_left;
}

/// One past the last key that query token `i` may see when causal. REQUIRES: as window_begin.
WEFT_HD constexpr int32_t causal_end(int32_t i, int32_t qo_len, int32_t kv_len) {
  return max_of(0, kv_len - qo_len + i + 1);
}

/// Packed rows of one request are counted in int32: `select` bounds max_nnz_qo accordingly.
WEFT_HD constexpr int32_t num_tiles(const ScheduleSpec& s, int32_t qo_len) {
  const int32_t rows = qo_len * s.group_size;
  if (!s.serves(rows)) return 0;
  return rows <= s.qo_tile ? 1 : ceil_div(rows, s.qo_tile);
}

/// The schedule of a list for no requests.
WEFT_HD constexpr ScheduleSpec no_requests() {
  ScheduleSpec s;
  s.most_rows = 0;
  return s;
}

/// Blocks of a tile of `rows` rows that see keys [kv_begin, kv_end).
WEFT_HD constexpr TileRange tile_blocks(const ScheduleSpec& s, int32_t rows, int32_t kv_begin,
                                        int32_t kv_end) {
  const int32_t first = tile_div(static_cast<uint32_t>(kv_begin), s.kv_tile);
  const uint32_t round_up = static_cast<uint32_t>(s.kv_tile) - 1;
  const int32_t end = tile_div(static_cast<uint32_t>(kv_end) + round_up, s.kv_tile);
  return {rows, first, max_of(0, end - first), kv_end};
}

/// The tile of a request that has only one, as in a decode step: some row of it sees every key.
/// REQUIRES: num_tiles(s, qo_len) == 1.
WEFT_HD constexpr TileRange only_tile(const ScheduleSpec& s, int32_t qo_len, int32_t kv_len) {
  const int32_t kv_begin = window_begin(0, qo_len, kv_len, s.window_left);
  return tile_blocks(s, qo_len * s.group_size, kv_begin, kv_len);
}

/// REQUIRES: 0 <= tile < num_tiles(s, qo_len).
WEFT_HD constexpr TileRange tile_range(const ScheduleSpec& s, int32_t qo_len, int32_t kv_len,
                                       int32_t tile) {
  const int32_t row_begin = tile * s.qo_tile;
  const int32_t rows = min_of(s.qo_tile, qo_len * s.group_size - row_begin);
  const int32_t last_token = (row_begin + rows - 1) / s.group_size;
  return tile_blocks(s, rows, window_begin(row_begin / s.group_size, qo_len, kv_len, s.window_left),
                     s.causal ? causal_end(last_token, qo_len, kv_len) : kv_len);
}

WEFT_HD constexpr int32_t block_cost(const CostModel& c, int32_t rows) {
  return c.per_block + rows * c.per_block_row;
}

/// Fewest blocks of a piece of `rows` rows: it leaves a state, which is written, read and merged.
WEFT_HD constexpr int32_t least_blocks(const ScheduleSpec& s, int32_t rows) {
  if (s.cost.per_piece_row == 0) return s.min_blocks;
  return max_of(s.min_blocks, rows * s.cost.per_piece_row / block_cost(s.cost, rows));
}

WEFT_HD constexpr int64_t tile_cost(const CostModel& c, const TileRange& t) {
  return c.fixed + int64_t{t.num_blocks} * block_cost(c, t.rows);
}

/// States a piece [kv_begin, kv_end) of a tile leaves: one, or one a split when splits are fixed.
/// Split boundaries lie at absolute multiples of split_blocks * kv_tile; the first split of a tile
/// also owns everything before first_block.
WEFT_HD constexpr int32_t num_states(const ScheduleSpec& s, const TileRange& t, int32_t kv_begin,
                                     int32_t kv_end) {
  if (s.split_blocks == 0) return 1;
  const int32_t split = s.split_blocks * s.kv_tile;
  const int32_t first = max_of(kv_begin, t.first_block * s.kv_tile) / split;
  return max_of(1, ceil_div(kv_end, split) - first);
}

}  // namespace weft
