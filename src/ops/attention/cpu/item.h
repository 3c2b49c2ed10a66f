// SPDX-License-Identifier: Apache-2.0
// run_items for any matrix unit: whole tiles are finished at once, pieces of a cut tile leave
// partial states, and the last piece to arrive merges them in ascending order of keys.
#pragma once

#include "src/ops/attention/cpu/unit.h"
#include "src/ops/attention/cpu/walk.h"

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
void run_whole(const TileWalk<M>& walk, const AttentionSpec& spec, const AttentionParams& params,
               const StateRanges& states) {
  const bool folds = states.count > 1;
  for (int i = 0; i < states.count; ++i) {
    walk.attend(states.state_begin(i), states.state_end(i), i + 1 == states.count);
    for (int h = 0; folds && h < walk.num_heads(); ++h) {
      const TileRun<M> run = walk.head(h);
      const Scratch& s = run.scratch();
      for (int r = 0; r < run.tile().rows; ++r) {
        if (i == 0) s.total[r] = RowSums{};
        const int64_t at = int64_t{r} * s.ldo;
        fold_row(s.total[r], s.total_o + at, run.sums(r), s.o + at, s.ldo);
      }
    }
  }
  for (int h = 0; h < walk.num_heads(); ++h) {
    const TileRun<M> run = walk.head(h);
    const Scratch& s = run.scratch();
    for (int r = 0; r < run.tile().rows; ++r) {
      const RowSums sums = folds ? s.total[r] : run.sums(r);
      finish_row(spec, params, run.tile(), r, sums, run.natural_o(folds ? s.total_o : s.o, r));
    }
  }
}

/// Index of a row of partial states, counting all lanes.
inline int64_t partial_index(const AttentionParams& p, int lane, int64_t row) {
  return int64_t{lane} * p.partial_rows + row;
}

// One state of one head, at rows [first, first + rows) of partial states.
template <class M>
void keep_state(const TileRun<M>& run, const AttentionSpec& spec, const AttentionParams& params,
                int64_t first) {
  const int dv = spec.head_dim_vo;
  for (int r = 0; r < run.tile().rows; ++r) {
    const int64_t at = first + r;
    const RowSums sums = run.sums(r);
    params.partial_m[at] = sums.m;
    params.partial_d[at] = sums.d;
    if (sums.d == 0.0f) continue;
    memcpy(params.partial_o + at * dv, run.natural_o(run.scratch().o, r),
           static_cast<size_t>(dv) * sizeof(float));
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
void run_piece(const TileWalk<M>& walk, const AttentionSpec& spec, const AttentionParams& params,
               const WorkItem& item, const StateRanges& states, float* room) {
  const auto lane_of = [&](int h) {
    return walk.head(h).tile().kv_head / spec.schedule.heads_per_lane;
  };
  for (int i = 0; i < states.count; ++i) {
    walk.attend(states.state_begin(i), states.state_end(i), i + 1 == states.count);
    for (int h = 0; h < walk.num_heads(); ++h) {
      const TileRun<M> run = walk.head(h);
      const int64_t row = item.partial_row + int64_t{i} * run.tile().rows;
      keep_state(run, spec, params, partial_index(params, lane_of(h), row));
    }
  }
  for (int h = 0; h < walk.num_heads(); ++h) {
    const int lane = lane_of(h);
    if (!last_arrival(spec, params, item, lane)) continue;
    const MergeItem& merge = params.merges[item.merge];
    merge_tile(spec, params, walk.head(h).tile(), merge,
               partial_index(params, lane, merge.partial_row), room);
  }
}

/// The heads of a worker's items, a few at a time, in order.
class HeadCursor {
 public:
  HeadCursor(const AttentionSpec& spec, const AttentionParams& params, const WorkItem* items,
             int count, LaneRange lanes)
      : spec_(spec), params_(params), items_(items), count_(count), lanes_(lanes) {}

  bool done() const { return item_ == count_; }
  const WorkItem& item() const { return items_[item_]; }
  /// Those that go side by side. REQUIRES: !done().
  TileRows rows() const {
    int32_t heads[kMostHeads];
    const Tile tile = make_tile(spec_, params_, item(), kv_head(at_));
    const int n = min_of(heads_abreast(spec_, params_, tile.rows), num_heads() - at_);
    for (int h = 0; h < n; ++h) heads[h] = kv_head(at_ + h);
    return TileRows(spec_, params_, tile, heads, n, item().kv_begin);
  }
  void skip(int heads) {
    at_ += heads;
    if (at_ < num_heads()) return;
    at_ = 0;
    ++item_;
  }

 private:
  int of_lane() const { return item().head_end - item().head_begin; }
  int num_heads() const { return lanes_.count * of_lane(); }
  int kv_head(int i) const {
    const int lane = lanes_.first + i / of_lane();
    return lane * spec_.schedule.heads_per_lane + item().head_begin + i % of_lane();
  }

  const AttentionSpec& spec_;
  const AttentionParams& params_;
  const WorkItem* const items_;
  const int count_;
  const LaneRange lanes_;
  int item_ = 0;
  int at_ = 0;  // of the item's heads
};

template <class M>
void run_tile(const AttentionSpec& spec, const AttentionParams& params, const Scratch& scratch,
              const WorkItem& item, const TileRows& rows, const TileRows* next) {
  const TileWalk<M> walk(spec, params, scratch, rows, next);
  const StateRanges states = state_ranges(spec, rows.tile, item);
  walk.load_queries();
  if (item.merge < 0) {
    run_whole(walk, spec, params, states);
  } else {
    run_piece(walk, spec, params, item, states, scratch.o);
  }
}

template <class M>
void run_items(const AttentionSpec& spec, const AttentionParams& params, const WorkItem* items,
               int count, LaneRange lanes, void* memory) {
  if (count == 0) return;
  const ScratchPair scratch = carve_scratch<M>(spec, memory);
  HeadCursor cursor(spec, params, items, count, lanes);
  TileRows rows = cursor.rows();
  while (!cursor.done()) {
    const WorkItem& item = cursor.item();
    cursor.skip(rows.num_heads);
    const bool more = !cursor.done();
    const TileRows next = more ? cursor.rows() : rows;
    if (rows.tile.rows <= M::kFewRows) {
      run_tile<typename M::Few>(spec, params, scratch.few, item, rows, more ? &next : nullptr);
    } else {
      run_tile<M>(spec, params, scratch.many, item, rows, more ? &next : nullptr);
    }
    rows = next;
  }
}

template <class M>
size_t scratch_bytes(const AttentionSpec& spec) {
  return carve_scratch<M>(spec, nullptr).bytes;
}

template <class M>
void begin_run(const AttentionSpec& spec, void* memory) {
  const Scratch scratch = carve_scratch<M>(spec, memory).many;
  const int widest = max_of(spec.head_dim_qk, spec.head_dim_vo);
  memset(scratch.zeros, 0, static_cast<size_t>(round_up(widest, 64)) * 4);
  if (spec.rope.mode != RopeMode::none) fill_turns(spec.rope, spec.head_dim_qk, scratch.turns);
}

inline void end_run() {}

}  // namespace
}  // namespace weft
