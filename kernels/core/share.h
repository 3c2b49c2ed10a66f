// SPDX-License-Identifier: Apache-2.0
// Two lists of one plan that run at the same time on one GPU: requests with few rows, bound by
// memory, beside those with many, bound by arithmetic. Each list learns here how many groups are
// its own, from estimates that both compute alike, so that they may be planned apart.
#pragma once

#include "kernels/core/work.h"

namespace weft {

/// About what a request costs a lane of a list, in constant time: each of its tiles the mean of the
/// first and the last. Exact for one tile, and for tiles whose cost grows evenly, as under a causal
/// mask; a window makes it low by less than a tile's cost.
WEFT_HD constexpr int64_t request_cost(const ScheduleSpec& s, int32_t qo_len, int32_t kv_len) {
  const int32_t tiles = num_tiles(s, qo_len);
  if (tiles == 0) return 0;
  const int64_t first = tile_cost(s.cost, tile_range(s, qo_len, kv_len, 0));
  const int64_t last = tile_cost(s.cost, tile_range(s, qo_len, kv_len, tiles - 1));
  return (first + last) * tiles / 2 * s.heads_per_lane;
}

/// Costs of a batch's requests, of a lane each, by the list that serves them.
struct ListCosts {
  int64_t own = 0;
  int64_t beside = 0;
};

/// Groups for the list that is bound by memory, beside one bound by arithmetic, so that both end
/// together; no more than suffice to saturate the memory. 0: too little work to set groups apart
/// for, so that the lists follow each other on all of them.
WEFT_HD constexpr int32_t memory_groups(const ScheduleSpec& memory, int64_t memory_cost,
                                        const ScheduleSpec& arithmetic, int64_t arithmetic_cost) {
  // Down to what the products below hold.
  while (((memory_cost | arithmetic_cost) >> 36) != 0) {
    memory_cost /= 2;
    arithmetic_cost /= 2;
  }
  if (memory_cost == 0 || arithmetic_cost == 0) return 0;
  // Time on the whole GPU, times num_groups of both lists.
  const int64_t a = memory_cost * arithmetic.num_groups / 100 * memory.enough_percent;
  const int64_t b = arithmetic_cost * memory.num_groups;
  const int64_t even = (memory.num_groups * a + (a + b) / 2) / (a + b);
  return static_cast<int32_t>(
      min_of<int64_t>(even, memory.num_groups * memory.enough_percent / 100));
}

/// Groups that list `s` may use beside list `other`, one of which is bound by memory
/// (enough_percent < 100). REQUIRES: num_groups < 1024 of both, as on any GPU.
WEFT_HD constexpr int32_t groups_beside(const ScheduleSpec& s, const ScheduleSpec& other,
                                        const ListCosts& costs) {
  if (other.serves_none()) return s.num_groups;
  if (s.enough_percent < 100) {
    const int32_t groups = memory_groups(s, costs.own, other, costs.beside);
    return groups == 0 ? s.num_groups : groups;
  }
  const int64_t taken = memory_groups(other, costs.beside, s, costs.own);
  return max_of(1, s.num_groups - static_cast<int32_t>(
                                      ceil_div<int64_t>(taken * s.num_groups, other.num_groups)));
}

}  // namespace weft
