// SPDX-License-Identifier: Apache-2.0
// PlanSmem: where each array of the planner lies in shared memory, for the host that asks for the
// bytes and the kernel that uses them. PlanShared: the same as pointers.
#pragma once

#include "kernels/core/partition.h"
#include "kernels/plan/spec.h"

namespace weft {

/// Where a group begins: tile `index` of the batch, from `at` on.
struct PlanCut {
  int32_t index;
  int32_t request;
  int32_t tile;  // of the request
  TilePoint at;
  TileRange range;

  WEFT_HD bool inside() const { return at.head > 0 || at.block > 0; }
};

/// Byte offsets; each array is aligned to 16.
struct PlanSmem {
  static constexpr int32_t kScans = 4;  // a buffer each, so that none waits for another's readers
  static constexpr int32_t kScanBytes = 16 * 32;  // up to four words a warp

  int32_t chunk_cost;
  int32_t tile_begin;
  int32_t cuts;
  int32_t cut_key;
  int32_t whole_base;
  int32_t merge_pieces;
  int32_t merge_states;
  int32_t scan;
  int32_t bytes;

  WEFT_HD static constexpr PlanSmem of(const PlanSpec& s) {
    const int32_t groups = s.schedule.num_groups;
    PlanSmem m{};
    m.tile_begin = round_up<int32_t>(m.chunk_cost + 8 * (s.num_threads + 1), 16);
    m.cuts = round_up<int32_t>(m.tile_begin + 4 * (s.max_batch_size + 1), 16);
    m.cut_key = round_up<int32_t>(m.cuts + int32_t{sizeof(PlanCut)} * (groups + 1), 16);
    m.whole_base = round_up<int32_t>(m.cut_key + 4 * (groups + 1), 16);
    m.merge_pieces = round_up<int32_t>(m.whole_base + 4 * groups, 16);
    m.merge_states = round_up<int32_t>(m.merge_pieces + 4 * groups, 16);
    m.scan = round_up<int32_t>(m.merge_states + 4 * groups, 16);
    m.bytes = m.scan + kScans * kScanBytes;
    return m;
  }
};

struct PlanShared {
  int64_t* chunk_cost;    // [num_threads + 1]: cost of all tiles before the thread's own
  int32_t* tile_begin;    // [batch_size + 1]: tiles of all requests before
  PlanCut* cuts;          // [num_groups + 1]
  int32_t* cut_key;       // [num_groups + 1]: 2 * index + inside()
  int32_t* whole_base;    // [num_groups]: item of a group's whole tile i is whole_base + i
  int32_t* merge_pieces;  // [num_groups]
  int32_t* merge_states;  // [num_groups]
  int32_t most_groups;    // that may get work: fewer where another list runs beside
  bool many_tiles;        // of some request

  WEFT_HD static PlanShared in(const PlanSpec& s, char* base) {
    const PlanSmem m = PlanSmem::of(s);
    return {reinterpret_cast<int64_t*>(base + m.chunk_cost),
            reinterpret_cast<int32_t*>(base + m.tile_begin),
            reinterpret_cast<PlanCut*>(base + m.cuts),
            reinterpret_cast<int32_t*>(base + m.cut_key),
            reinterpret_cast<int32_t*>(base + m.whole_base),
            reinterpret_cast<int32_t*>(base + m.merge_pieces),
            reinterpret_cast<int32_t*>(base + m.merge_states),
            s.schedule.num_groups,
            false};
  }
};

}  // namespace weft
