// SPDX-License-Identifier: Apache-2.0
// Batches as lengths alone, and schedules, at random: for tests of planning, on a host or a device.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/plan/spec.h"

namespace weft::test {

struct LengthBatch {
  std::vector<int32_t> qo_indptr{0};
  std::vector<int32_t> kv_indptr{0};
  std::vector<int32_t> last_page_len;
  int32_t page_size = 0;

  void add(int32_t qo_len, int32_t kv_len) {
    const int32_t pages = page_size > 0 ? ceil_div(kv_len, page_size) : kv_len;
    qo_indptr.push_back(qo_indptr.back() + qo_len);
    kv_indptr.push_back(kv_indptr.back() + pages);
    last_page_len.push_back(page_size > 0 ? kv_len - (pages - 1) * page_size : 0);
  }
  int32_t batch_size() const { return static_cast<int32_t>(last_page_len.size()); }
  BatchLengths view() const {
    return {qo_indptr.data(), kv_indptr.data(), last_page_len.data(), page_size};
  }
};

class LengthRandom {
 public:
  explicit LengthRandom(uint32_t seed) : engine_(seed) {}
  int32_t in(int32_t lo, int32_t hi) {
    return std::uniform_int_distribution<int32_t>(lo, hi)(engine_);
  }
  bool chance(int32_t one_in) { return in(1, one_in) == 1; }
  template <size_t n>
  int32_t of(const int32_t (&values)[n]) {
    return values[in(0, static_cast<int32_t>(n) - 1)];
  }

  /// Up to `most` requests: short and long queries, none, no keys, pages of any size.
  LengthBatch batch(int32_t most) {
    LengthBatch batch;
    batch.page_size = chance(2) ? in(1, 64) : 0;
    const int32_t size = chance(20) ? 0 : in(1, most);
    const int32_t longest = of({0, 50, 3000, 60000});
    for (int32_t r = 0; r < size; ++r) {
      const int32_t qo_len = chance(8) ? 0 : chance(4) ? in(1, 700) : in(1, 9);
      batch.add(qo_len, chance(8) ? 0 : in(0, longest));
    }
    return batch;
  }

  PlanSpec plan_spec(int32_t max_batch_size, int32_t max_nnz_qo) {
    PlanSpec s;
    s.num_threads = of({32, 64, 96, 256, 1024});
    s.schedule.group_size = in(1, 16);
    s.schedule.qo_tile = of({1, 7, 16, 64, 192});
    s.schedule.kv_tile = of({1, 16, 48, 64, 128});
    s.schedule.num_groups = in(1, std::min(264, s.num_threads - 1));
    s.schedule.head_lanes = in(1, 4);
    s.schedule.heads_per_lane = in(1, 5);
    s.schedule.causal = chance(2);
    s.schedule.window_left = chance(3) ? in(0, 3000) : -1;
    s.schedule.split_blocks = chance(3) ? in(1, 20) : 0;
    s.schedule.min_blocks = in(1, 6);
    s.schedule.max_tile_partial_rows = 8 * s.schedule.qo_tile;
    s.schedule.cost = {in(1, 500), in(1, 1000), in(0, 50), chance(2) ? in(1, 600) : 0};
    s.max_batch_size = max_batch_size;
    s.max_nnz_qo = max_nnz_qo;
    if (chance(3)) add_list(s);
    return s;
  }

  /// A list beside the spec's own, which leaves it the requests of fewer or more rows.
  void add_list(PlanSpec& s) {
    s.beside = s.schedule;
    s.beside.qo_tile = of({16, 128});
    s.beside.kv_tile = of({16, 128});
    s.beside.num_groups = in(1, 264);
    s.beside.cost = {in(1, 500), in(1, 1000), in(0, 50)};
    const bool memory = chance(2);
    ScheduleSpec& few = memory ? s.schedule : s.beside;
    ScheduleSpec& many = memory ? s.beside : s.schedule;
    few.most_rows = in(1, 64);
    few.enough_percent = in(1, 99);
    many.least_rows = few.most_rows + 1;
  }

 private:
  std::mt19937 engine_;
};

}  // namespace weft::test
