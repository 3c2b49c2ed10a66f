// SPDX-License-Identifier: Apache-2.0
// run_items for any matrix unit: whole tiles are finished at once, pieces of a cut tile leave
// partial states, and the last piece to arrive merges them in ascending order of keys.
#pragma once

#include "src/ops/attention/cpu/attend.h"
#include "src/ops/attention/cpu/unit.h"

namespace weft {
namespace {

/// Key ranges of the states an item leaves (kernels/core/work.h, num_states).
struct StateRanges {
  int count;
  int32_t begin, end;   // of the item
  int32_t first_split;  // index of the split the first state ends in
  int32_t split;        // keys of a split

  int32_t state_begin(int i) const { return i == 0 ? begin : (first_split + i) * split; }
  int32_t state_end(int i) const { return i + 1 == count ? end : (first_split + i + 1) * split; }
};

inline StateRanges state_ranges(const AttentionSpec& spec, const Tile& t, const WorkItem& item) {
  const ScheduleSpec& s = spec.schedule;
  const TileRange range = tile_range(s, t.qo_len, t.kv_len, item.row_begin / s.qo_tile);
  StateRanges r{};
  r.count = num_states(s, range, item.kv_begin, item.kv_end);
  r.begin = item.kv_begin;
  r.end = item.kv_end;
  if (s.split_blocks > 0) {
    r.split = s.split_blocks * s.kv_tile;
    r.first_split = max_of(item.kv_begin, range.first_block * s.kv_tile) / r.split;
  }
  return r;
}

template <class M>
void run_whole(TileRun<M>& run, const AttentionSpec& spec, const AttentionParams& params,
               const Tile& tile, const Scratch& scratch, const StateRanges& states) {
  if (states.count == 1) {
    run.attend(states.begin, states.end, true);
    for (int r = 0; r < tile.rows; ++r) {
      const RowSums sums = run.sums(r);
      finish_row(spec, params, tile, r, sums, run.natural_o(scratch.o, r));
    }
    return;
  }
  for (int r = 0; r < tile.rows; ++r) scratch.total[r] = RowSums{};
  for (int i = 0; i < states.count; ++i) {
    run.attend(states.state_begin(i), states.state_end(i), i + 1 == states.count);
    for (int r = 0; r < tile.rows; ++r) {
      const int64_t at = int64_t{r} * scratch.ldo;
      fold_row(scratch.total[r], scratch.total_o + at, run.sums(r), scratch.o + at, scratch.ldo);
    }
  }
  for (int r = 0; r < tile.rows; ++r) {
    finish_row(spec, params, tile, r, scratch.total[r], run.natural_o(scratch.total_o, r));
  }
}

/// Index of a row of partial states, counting all lanes.
inline int64_t partial_index(const AttentionParams& p, int lane, int64_t row) {
  return int64_t{lane} * p.partial_rows + row;
}

template <class M>
void run_piece(TileRun<M>& run, const AttentionSpec& spec, const AttentionParams& params,
               const Tile& tile, const Scratch& scratch, const StateRanges& states, int64_t first) {
  const int dv = spec.head_dim_vo;
  for (int i = 0; i < states.count; ++i) {
    run.attend(states.state_begin(i), states.state_end(i), i + 1 == states.count);
    for (int r = 0; r < tile.rows; ++r) {
      const int64_t at = first + int64_t{i} * tile.rows + r;
      const RowSums sums = run.sums(r);
      params.partial_m[at] = sums.m;
      params.partial_d[at] = sums.d;
      if (sums.d == 0.0f) continue;
      memcpy(params.partial_o + at * dv, run.natural_o(scratch.o, r),
             static_cast<size_t>(dv) * sizeof(float));
    }
  }
}

inline void merge_tile(const AttentionSpec& spec, const AttentionParams& params, const Tile& tile,
                       const MergeItem& merge, int64_t first, float* total_o) {
  const int dv = spec.head_dim_vo;
  for (int r = 0; r < merge.rows; ++r) {
    RowSums total;
    for (int i = 0; i < merge.num_states; ++i) {
      const int64_t at = first + int64_t{i} * merge.rows + r;
      const RowSums sums{params.partial_m[at], params.partial_d[at]};
      fold_row(total, total_o, sums, params.partial_o + at * dv, dv);
    }
    finish_row(spec, params, tile, r, total, total_o);
  }
}

/// True for the last of a tile's pieces; the counter is then 0 again, for the next run.
inline bool last_arrival(const AttentionSpec& spec, const AttentionParams& params,
                         const WorkItem& item, int lane) {
  int32_t* arrivals = params.merge_arrivals + int64_t{item.merge} * spec.schedule.head_lanes + lane;
  const int32_t pieces = params.merges[item.merge].num_pieces;
  if (__atomic_add_fetch(arrivals, 1, __ATOMIC_ACQ_REL) != pieces) return false;
  __atomic_store_n(arrivals, 0, __ATOMIC_RELAXED);
  return true;
}

template <class M>
void run_tile(const AttentionSpec& spec, const AttentionParams& params, const WorkItem& item,
              int lane, TileRun<M>& run, const Tile& tile, const Scratch& scratch) {
  const StateRanges states = state_ranges(spec, tile, item);
  run.load_queries();
  if (item.merge < 0) return run_whole(run, spec, params, tile, scratch, states);
  run_piece(run, spec, params, tile, scratch, states,
            partial_index(params, lane, item.partial_row));
  if (!last_arrival(spec, params, item, lane)) return;
  const MergeItem& merge = params.merges[item.merge];
  merge_tile(spec, params, tile, merge, partial_index(params, lane, merge.partial_row), scratch.o);
}

template <class M>
void run_items(const AttentionSpec& spec, const AttentionParams& params, const WorkItem* items,
               int count, int lane, void* memory) {
  const Scratch scratch = carve_scratch<M>(spec, memory);
  const auto rows_of = [&](const WorkItem& item, int head) {
    const int kv_head = lane * spec.schedule.heads_per_lane + head;
    return TileRows(spec, params, make_tile(spec, params, item, kv_head), item.kv_begin);
  };
  if (count == 0) return;
  TileRows rows = rows_of(items[0], items[0].head_begin);
  for (int i = 0; i < count; ++i) {
    for (int head = items[i].head_begin; head < items[i].head_end; ++head) {
      const bool same = head + 1 < items[i].head_end;
      const bool more = same || i + 1 < count;
      const TileRows next = same   ? rows_of(items[i], head + 1)
                            : more ? rows_of(items[i + 1], items[i + 1].head_begin)
                                   : rows;
      TileRun<M> run(spec, params, scratch, rows, more ? &next : nullptr);
      run_tile(spec, params, items[i], lane, run, rows.tile, scratch);
      rows = next;
    }
  }
}

template <class M>
size_t scratch_bytes(const AttentionSpec& spec) {
  return carve_scratch<M>(spec, nullptr).bytes;
}

template <class M>
void begin_run(const AttentionSpec& spec, void* memory) {
  const Scratch scratch = carve_scratch<M>(spec, memory);
  const int widest = max_of(spec.head_dim_qk, spec.head_dim_vo);
  memset(scratch.zeros, 0, static_cast<size_t>(round_up(widest, 64)) * 4);
  if (spec.rope.mode != RopeMode::none) fill_turns(spec.rope, spec.head_dim_qk, scratch.turns);
}

inline void end_run() {}

}  // namespace
}  // namespace weft
