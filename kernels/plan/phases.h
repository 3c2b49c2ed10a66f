// SPDX-License-Identifier: Apache-2.0
// The planner's work between two barriers, for one thread of the CTA: the same lists as the walk of
// src/plan/partition.cc, bit for bit. Tiles of all requests are laid end to end and dealt to the
// threads in equal chunks; a prefix sum of their costs lets each group find its cut alone.
// Portable: kernels/plan/plan.cuh runs it on a device, a test in loops on a host.
#pragma once

#include "kernels/core/partition.h"
#include "kernels/core/share.h"
#include "kernels/plan/params.h"
#include "kernels/plan/smem.h"

namespace weft::planner {

/// Greatest i in [0, n) with values[i] <= x. REQUIRES: values ascend, values[0] <= x.
template <class T>
WEFT_HD int32_t last_not_above(const T* values, int32_t n, T x) {
  int32_t begin = 0;
  while (n > 1) {
    const int32_t half = n / 2;
    if (values[begin + half] <= x) begin += half;
    n -= half;
  }
  return begin;
}

WEFT_HD void add_shared(int32_t* sum, int32_t value) {
#if defined(__CUDA_ARCH__)
  atomicAdd(sum, value);
#else
  *sum += value;
#endif
}

/// What is wrong with request r, or PlanError::none.
WEFT_HD PlanError request_error(const BatchLengths& b, int32_t r) {
  const int32_t last = b.page_size == 0 ? 0 : b.last_page_len[r];  // asked for with the others
  if (b.qo_len(r) < 0) return PlanError::qo_indptr;
  const int64_t n = b.kv_indptr[r + 1] - int64_t{b.kv_indptr[r]};
  if (n < 0) return PlanError::kv_indptr;
  if (b.page_size == 0 || n == 0) return PlanError::none;
  if (n * b.page_size > 0x7fffffff) return PlanError::kv_indptr;
  return last < 1 || last > b.page_size ? PlanError::last_page_len : PlanError::none;
}

/// The requests of one thread, [begin, end).
struct RequestChunk {
  int32_t begin;
  int32_t end;
};

WEFT_HD RequestChunk request_chunk(const PlanSpec& s, int32_t batch_size, int32_t thread) {
  const int32_t each = ceil_div(batch_size, s.num_threads);
  const int32_t begin = min_of(thread * each, batch_size);
  return {begin, min_of(begin + each, batch_size)};
}

/// Of the requests of one thread.
struct RequestSums {
  int32_t tiles = 0;
  int64_t cost = 0;   // of a lane, of requests of one tile
  bool many = false;  // some request has more
};

/// Sums of the thread's requests. The first request that is wrong, with why, goes to `error` as
/// request * 8 + PlanError, unless a lower one is there.
WEFT_HD RequestSums sum_requests(const PlanSpec& s, const BatchLengths& b, int32_t batch_size,
                                 int32_t thread, uint32_t& error) {
  const RequestChunk chunk = request_chunk(s, batch_size, thread);
  RequestSums sums;
  for (int32_t r = chunk.begin; r < chunk.end; ++r) {
    PlanError wrong = request_error(b, r);
    const int32_t qo_len = b.qo_len(r);
    if (qo_len > s.max_nnz_qo) wrong = PlanError::too_many_tokens;
    if (wrong != PlanError::none) {
      error = min_of(error, static_cast<uint32_t>(r) * 8 + static_cast<uint32_t>(wrong));
      return {};
    }
    const int32_t tiles = num_tiles(s.schedule, qo_len);
    sums.tiles += tiles;
    sums.many |= tiles > 1;
    if (tiles == 1) {
      sums.cost += tile_cost(s.schedule.cost, only_tile(s.schedule, qo_len, b.kv_len(r))) *
                   s.schedule.heads_per_lane;
    }
  }
  return sums;
}

/// What the thread's requests cost by the list that serves them. REQUIRES: sum_requests found them
/// right.
WEFT_HD ListCosts list_costs(const PlanSpec& s, const BatchLengths& b, int32_t batch_size,
                             int32_t thread) {
  const RequestChunk chunk = request_chunk(s, batch_size, thread);
  ListCosts costs;
  for (int32_t r = chunk.begin; r < chunk.end; ++r) {
    costs.own += request_cost(s.schedule, b.qo_len(r), b.kv_len(r));
    costs.beside += request_cost(s.beside, b.qo_len(r), b.kv_len(r));
  }
  return costs;
}

/// `tiles`: of the thread's requests.
WEFT_HD void store_tile_begin(const PlanSpec& s, const BatchLengths& b, int32_t batch_size,
                              int32_t thread, int32_t tiles_before, int32_t tiles,
                              const PlanShared& shared) {
  const RequestChunk chunk = request_chunk(s, batch_size, thread);
  const bool one = chunk.end - chunk.begin == 1;
  for (int32_t r = chunk.begin; r < chunk.end; ++r) {
    shared.tile_begin[r] = tiles_before;
    tiles_before += one ? tiles : num_tiles(s.schedule, b.qo_len(r));
  }
  if (chunk.end == batch_size) shared.tile_begin[batch_size] = tiles_before;
}

/// A walk over consecutive tiles of the batch, from `position` up to `end`.
struct TileWalk {
  int32_t position;
  int32_t end;
  int32_t request;
  int32_t tile;         // of the request
  int32_t request_end;  // position of the next request's first tile
  int32_t qo_len;
  int32_t kv_len;

  WEFT_HD void enter(const BatchLengths& b, const PlanShared& shared) {
    tile = position - shared.tile_begin[request];
    request_end = shared.tile_begin[request + 1];
    qo_len = b.qo_len(request);
    kv_len = b.kv_len(request);
  }
  WEFT_HD TileRange range(const ScheduleSpec& s) const {
    return tile_range(s, qo_len, kv_len, tile);
  }
  WEFT_HD void next(const BatchLengths& b, const PlanShared& shared) {
    ++tile;
    if (++position < request_end || position >= end) return;
    do ++request;
    while (shared.tile_begin[request + 1] <= position);
    enter(b, shared);
  }
};

/// The request that owns a tile. In a decode step, where each has one, it is the tile's own number;
/// else bisection finds it.
WEFT_HD int32_t request_of(const PlanShared& shared, int32_t batch_size, int32_t position) {
  if (position < batch_size && shared.tile_begin[position] == position &&
      shared.tile_begin[position + 1] > position) {
    return position;
  }
  return last_not_above(shared.tile_begin, batch_size, position);
}

/// The tiles of one thread: those of its requests where each has at most one, else an equal share.
WEFT_HD TileWalk chunk_walk(const PlanSpec& s, const BatchLengths& b, int32_t batch_size,
                            int32_t thread, const PlanShared& shared) {
  TileWalk walk{};
  if (shared.many_tiles) {
    const int32_t tiles = shared.tile_begin[batch_size];
    const int32_t each = ceil_div(tiles, s.num_threads);
    walk.position = min_of(thread * each, tiles);
    walk.end = min_of(walk.position + each, tiles);
  } else {
    const RequestChunk chunk = request_chunk(s, batch_size, thread);
    walk.position = shared.tile_begin[chunk.begin];
    walk.end = shared.tile_begin[chunk.end];
  }
  if (walk.position == walk.end) return walk;
  walk.request = request_of(shared, batch_size, walk.position);
  walk.enter(b, shared);
  return walk;
}

/// Cost of a thread's tiles, for one lane.
WEFT_HD int64_t chunk_cost(const PlanSpec& s, const BatchLengths& b, TileWalk walk,
                           const PlanShared& shared) {
  int64_t cost = 0;
  for (; walk.position < walk.end; walk.next(b, shared)) {
    cost += tile_cost(s.schedule.cost, walk.range(s.schedule));
  }
  return cost * s.schedule.heads_per_lane;
}

WEFT_HD PlanCut cut_in_chunk(const PlanSpec& s, const BatchLengths& b, int32_t batch_size,
                             int64_t target, const PlanShared& shared) {
  const int32_t chunk = last_not_above(shared.chunk_cost, s.num_threads, target);
  TileWalk walk = chunk_walk(s, b, batch_size, chunk, shared);
  int64_t cost = shared.chunk_cost[chunk];
  for (;; walk.next(b, shared)) {
    const TileRange range = walk.range(s.schedule);
    const int64_t after = cost + tile_cost(s.schedule.cost, range) * s.schedule.heads_per_lane;
    if (target < after) {
      const TilePoint at = cut_tile(s.schedule, range, target - cost);
      if (at.head < s.schedule.heads_per_lane) {
        return {walk.position, walk.request, walk.tile, at, range};
      }
      return {walk.position + 1, 0, 0, {}, {}};
    }
    cost = after;
  }
}

/// Finds where group g begins; g = num_groups is the end. Returns how many groups get work.
WEFT_HD int32_t find_cut(const PlanSpec& s, const BatchLengths& b, int32_t batch_size, int32_t g,
                         const PlanShared& shared) {
  const int64_t total = shared.chunk_cost[s.num_threads];
  const GroupShares shares =
      group_shares(s.schedule, total, shared.tile_begin[batch_size], shared.most_groups);
  const int64_t target = shares.begin(g);
  PlanCut cut{};
  if (target >= total) {
    cut.index = shared.tile_begin[batch_size];
  } else if (g > 0) {
    cut = cut_in_chunk(s, b, batch_size, target, shared);
  }
  shared.cuts[g] = cut;
  shared.cut_key[g] = 2 * cut.index + cut.inside();
  return static_cast<int32_t>(shares.active);
}

/// What a group adds to the lists.
struct GroupCount {
  int32_t items;
  int32_t merges;
  int32_t rows;
};

/// The whole tiles of a group, [first, end.index).
WEFT_HD int32_t first_whole(const PlanCut& begin) { return begin.index + begin.inside(); }

WEFT_HD int32_t num_whole(const PlanCut& begin, const PlanCut& end) {
  return max_of(0, end.index - first_whole(begin));
}

/// What a group has of the tiles it shares with others, in order: of the one it begins inside,
/// then, behind sink.whole_tiles(), of the one it ends inside. sink.enter(cut) names the tile.
template <class Sink>
WEFT_HD void for_each_shared_part(const ScheduleSpec& s, const PlanCut& begin, const PlanCut& end,
                                  Sink& sink) {
  const bool same = begin.inside() && begin.index == end.index;
  WEFT_KEEP_LOOP
  for (int32_t side = 0; side < 2; ++side) {
    const PlanCut& cut = side == 0 ? begin : end;
    if (side == 1) sink.whole_tiles();
    if (!cut.inside() || (side == 1 && same)) continue;
    sink.enter(cut);
    const TilePoint to = side == 1 || same ? end.at : TilePoint{s.heads_per_lane, 0};
    const TilePoint from = side == 0 ? begin.at : TilePoint{};
    if (s.heads_per_lane > 1) {
      for_each_part(cut.range, from, to, sink);
    } else {  // at most a piece of the one head: less code on a device
      const int32_t block_end = to.head > 0 ? cut.range.num_blocks : to.block;
      if (from.block < block_end) sink.piece(0, from.block, block_end);
    }
  }
}

/// Counts what a group has.
struct CountParts {
  const ScheduleSpec& spec;
  const PlanCut& begin;
  const PlanCut& end;
  const TileRange* range = nullptr;
  GroupCount count{};

  WEFT_HD void enter(const PlanCut& cut) { range = &cut.range; }
  WEFT_HD void whole_tiles() { count.items += num_whole(begin, end); }
  WEFT_HD void whole(int32_t, int32_t) { ++count.items; }
  WEFT_HD void piece(int32_t head, int32_t block_begin, int32_t block_end) {
    const WorkItem item = piece_item(spec, 0, 0, *range, head, block_begin, block_end);
    ++count.items;
    count.merges += block_begin == 0;
    count.rows += num_states(spec, *range, item.kv_begin, item.kv_end) * range->rows;
  }
};

WEFT_HD GroupCount count_group(const PlanSpec& s, int32_t g, const PlanShared& shared) {
  CountParts parts{s.schedule, shared.cuts[g], shared.cuts[g + 1]};
  for_each_shared_part(s.schedule, parts.begin, parts.end, parts);
  return parts.count;
}

/// Writes what a group has of shared tiles, and where its whole ones go.
struct WriteParts {
  const ScheduleSpec& spec;
  const PlanParams& params;
  const PlanShared& shared;
  const PlanCut& begin;
  const PlanCut& end;
  int32_t item;   // the next one
  int32_t merge;  // the next one to open
  int32_t row;
  const PlanCut* cut = nullptr;
  int32_t whole_base = 0;

  WEFT_HD void enter(const PlanCut& of) { cut = &of; }
  WEFT_HD void whole_tiles() {
    whole_base = item - first_whole(begin);
    item += num_whole(begin, end);
  }
  WEFT_HD void whole(int32_t head_begin, int32_t head_end) {
    params.items[item++] =
        whole_item(spec, cut->request, cut->tile, cut->range, head_begin, head_end);
  }
  WEFT_HD void piece(int32_t head, int32_t block_begin, int32_t block_end) {
    WorkItem w =
        piece_item(spec, cut->request, cut->tile, cut->range, head, block_begin, block_end);
    if (block_begin == 0) {
      params.merges[merge++] = {w.request, w.row_begin, cut->range.rows, head, 0, 0, row};
    }
    w.merge = merge - 1;
    w.partial_row = row;
    const int32_t states = num_states(spec, cut->range, w.kv_begin, w.kv_end);
    add_shared(shared.merge_pieces + w.merge, 1);
    add_shared(shared.merge_states + w.merge, states);
    row += states * cut->range.rows;
    params.items[item++] = w;
  }
};

/// Writes what a group has of shared tiles, and where its whole tiles go. `before` counts all
/// groups before it.
WEFT_HD void place_group(const PlanSpec& s, const PlanParams& p, int32_t g, GroupCount before,
                         const PlanShared& shared) {
  p.work_indptr[g] = before.items;
  WriteParts parts{
      s.schedule,    p,          shared, shared.cuts[g], shared.cuts[g + 1], before.items,
      before.merges, before.rows};
  for_each_shared_part(s.schedule, parts.begin, parts.end, parts);
  shared.whole_base[g] = parts.whole_base;
}

/// Writes the tiles of one thread that no group cuts.
WEFT_HD void write_whole_tiles(const PlanSpec& s, const PlanParams& p, TileWalk walk,
                               const PlanShared& shared) {
  const BatchLengths& b = p.lengths;
  if (walk.position == walk.end) return;
  // The last group that begins at or before the start of the first one.
  int32_t g = last_not_above(shared.cut_key, s.schedule.num_groups, 2 * walk.position);
  for (; walk.position < walk.end; walk.next(b, shared)) {
    while (shared.cut_key[g + 1] <= 2 * walk.position) ++g;
    if (shared.cut_key[g + 1] == 2 * walk.position + 1) continue;  // cut: its groups wrote it
    p.items[shared.whole_base[g] + walk.position] = whole_item(
        s.schedule, walk.request, walk.tile, walk.range(s.schedule), 0, s.schedule.heads_per_lane);
  }
}

/// Completes merge m and makes its counters ready.
WEFT_HD void finish_merge(const PlanSpec& s, const PlanParams& p, int32_t m,
                          const PlanShared& shared) {
  p.merges[m].num_pieces = shared.merge_pieces[m];
  p.merges[m].num_states = shared.merge_states[m];
  for (int32_t lane = 0; lane < s.schedule.head_lanes; ++lane) {
    p.merge_arrivals[m * s.schedule.head_lanes + lane] = 0;
  }
}

/// An empty plan: every group's range is empty, and the result says why.
WEFT_HD void write_empty(const PlanSpec& s, const PlanParams& p, int32_t thread, PlanError error,
                         int32_t request) {
  for (int32_t g = thread; g <= s.schedule.num_groups; g += s.num_threads) p.work_indptr[g] = 0;
  if (thread == 0) *p.result = PlanResult{0, 0, 0, 0, 0, 1, error, request, 0};
}

}  // namespace weft::planner
