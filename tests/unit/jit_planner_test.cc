// SPDX-License-Identifier: Apache-2.0
// The planner kernel's phases, run thread by thread in loops, against the sequential walk: the same
// lists bit for bit, for random schedules and batches; and what it says of batches that are wrong.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "kernels/plan/phases.h"
#include "src/plan/partition.h"
#include "tests/cases/length_batches.h"

namespace weft {
namespace {

using test::LengthBatch;
using test::LengthRandom;

struct Lists {
  std::vector<int32_t> work_indptr;
  std::vector<WorkItem> items;
  std::vector<MergeItem> merges;
  std::vector<int32_t> arrivals;
  PlanResult result{};

  Lists(const PlanSpec& s)
      : work_indptr(static_cast<size_t>(s.schedule.num_groups) + 1, -1),
        arrivals(static_cast<size_t>(s.schedule.num_groups * s.schedule.head_lanes), -1) {
    const PlanCapacity c = plan_capacity(s.schedule, s.max_batch_size, s.max_nnz_qo);
    items.resize(static_cast<size_t>(c.items));
    merges.resize(static_cast<size_t>(c.merges));
  }
};

PlanParams params_of(const LengthBatch& lengths, Lists& lists) {
  return {lengths.view(),
          nullptr,
          lists.work_indptr.data(),
          lists.items.data(),
          lists.merges.data(),
          lists.arrivals.data(),
          &lists.result,
          lengths.batch_size()};
}

// The kernel, with a loop over threads between barriers and plain sums for the prefix sums.
class Emulation {
 public:
  Emulation(const PlanSpec& spec, const PlanParams& params)
      : s_(spec),
        p_(params),
        memory_(static_cast<size_t>(PlanSmem::of(spec).bytes), '\xab'),
        shared_(PlanShared::in(spec, memory_.data())) {}

  void run() {
    for (int32_t g = 0; g < s_.schedule.num_groups; ++g) {
      shared_.merge_pieces[g] = shared_.merge_states[g] = 0;
    }
    if (!lay_out_tiles()) return;
    share_groups();
    for (int32_t g = 0; g <= s_.schedule.num_groups; ++g) {
      planner::find_cut(s_, p_.lengths, p_.batch_size, g, shared_);
    }
    planner::GroupCount before{};
    for (int32_t g = 0; g < s_.schedule.num_groups; ++g) {
      const planner::GroupCount mine = planner::count_group(s_, g, shared_);
      planner::place_group(s_, p_, g, before, shared_);
      before = {before.items + mine.items, before.merges + mine.merges, before.rows + mine.rows};
    }
    p_.work_indptr[s_.schedule.num_groups] = before.items;
    for (int32_t t = s_.num_threads - 1; t >= 0; --t) {  // in no particular order
      planner::write_whole_tiles(s_, p_, walk(t), shared_);
    }
    for (int32_t m = 0; m < before.merges; ++m) planner::finish_merge(s_, p_, m, shared_);
    *p_.result = {shared_.chunk_cost[s_.num_threads],
                  p_.batch_size,
                  before.items,
                  before.merges,
                  before.rows,
                  0,
                  PlanError::none,
                  0,
                  0};
  }

 private:
  bool lay_out_tiles() {
    uint32_t error = 0xffffffffu;
    std::vector<planner::RequestSums> sums;
    for (int32_t t = 0; t < s_.num_threads; ++t) {
      sums.push_back(planner::sum_requests(s_, p_.lengths, p_.batch_size, t, error));
      shared_.many_tiles |= sums.back().many;
    }
    if (error != 0xffffffffu) {
      for (int32_t t = 0; t < s_.num_threads; ++t) {
        planner::write_empty(s_, p_, t, static_cast<PlanError>(error % 8),
                             static_cast<int32_t>(error / 8));
      }
      return false;
    }
    int32_t tiles = 0;
    int64_t cost = 0;
    for (int32_t t = 0; t < s_.num_threads; ++t) {
      planner::store_tile_begin(s_, p_.lengths, p_.batch_size, t, tiles,
                                sums[static_cast<size_t>(t)].tiles, shared_);
      shared_.chunk_cost[t] = cost;
      tiles += sums[static_cast<size_t>(t)].tiles;
      cost += sums[static_cast<size_t>(t)].cost;
    }
    shared_.chunk_cost[s_.num_threads] = cost;
    if (shared_.many_tiles) sum_costs();
    return true;
  }

  void share_groups() {
    ListCosts costs;
    for (int32_t t = 0; t < s_.num_threads; ++t) {
      const ListCosts mine = planner::list_costs(s_, p_.lengths, p_.batch_size, t);
      costs = {costs.own + mine.own, costs.beside + mine.beside};
    }
    shared_.most_groups = groups_beside(s_.schedule, s_.beside, costs);
  }

  planner::TileWalk walk(int32_t t) const {
    return planner::chunk_walk(s_, p_.lengths, p_.batch_size, t, shared_);
  }

  void sum_costs() {
    int64_t before = 0;
    for (int32_t t = 0; t < s_.num_threads; ++t) {
      const int64_t cost = planner::chunk_cost(s_, p_.lengths, walk(t), shared_);
      shared_.chunk_cost[t] = before;
      before += cost;
    }
    shared_.chunk_cost[s_.num_threads] = before;
  }

  const PlanSpec& s_;
  const PlanParams& p_;
  std::vector<char> memory_;
  PlanShared shared_;
};

bool same_bytes(const void* a, const void* b, size_t bytes) {
  return bytes == 0 || std::memcmp(a, b, bytes) == 0;
}

TEST(Planner, MatchesTheSequentialWalkBitForBit) {
  int64_t items = 0, merges = 0, shared = 0;
  for (uint32_t seed = 0; seed < 4000; ++seed) {
    LengthRandom random(seed);
    const LengthBatch lengths = random.batch(64);
    const PlanSpec spec = random.plan_spec(64, lengths.qo_indptr.back());
    Lists walked(spec), planned(spec);
    const PlanSummary expected =
        partition(spec.schedule, lengths.view(), lengths.batch_size(), walked.work_indptr.data(),
                  walked.items.data(), walked.merges.data(), spec.beside);
    const PlanParams params = params_of(lengths, planned);
    Emulation(spec, params).run();
    const PlanResult& got = planned.result;
    ASSERT_EQ(got.num_items, expected.num_items) << "seed " << seed;
    ASSERT_EQ(got.num_merges, expected.num_merges) << "seed " << seed;
    ASSERT_EQ(got.partial_rows, expected.partial_rows) << "seed " << seed;
    ASSERT_EQ(got.total_cost, expected.total_cost) << "seed " << seed;
    ASSERT_EQ(planned.work_indptr, walked.work_indptr) << "seed " << seed;
    ASSERT_TRUE(same_bytes(planned.items.data(), walked.items.data(),
                           sizeof(WorkItem) * static_cast<size_t>(got.num_items)))
        << "seed " << seed;
    ASSERT_TRUE(same_bytes(planned.merges.data(), walked.merges.data(),
                           sizeof(MergeItem) * static_cast<size_t>(got.num_merges)))
        << "seed " << seed;
    for (int32_t i = 0; i < got.num_merges * spec.schedule.head_lanes; ++i) {
      ASSERT_EQ(planned.arrivals[static_cast<size_t>(i)], 0) << "seed " << seed;
    }
    items += got.num_items;
    merges += got.num_merges;
    shared += !spec.beside.serves_none() && expected.active_groups < spec.schedule.num_groups;
  }
  EXPECT_GT(shared, 100);
  EXPECT_GT(items, 100000);
  EXPECT_GT(merges, 10000);
}

struct BadBatch {
  const char* name;
  std::vector<int32_t> qo_indptr;
  std::vector<int32_t> kv_indptr;
  std::vector<int32_t> last_page_len;
  PlanError error;
  int32_t request;
};

TEST(Planner, AWrongBatchGetsAnEmptyPlanAndTheReason) {
  const BadBatch rows[] = {
      {"query rows decrease", {0, 2, 1, 3}, {0, 1, 2, 3}, {1, 1, 1}, PlanError::qo_indptr, 1},
      {"pages decrease", {0, 1, 2, 3}, {0, 3, 1, 2}, {1, 1, 1}, PlanError::kv_indptr, 1},
      {"tokens leave 31 bits", {0, 1}, {0, 0x7fffffff}, {1}, PlanError::kv_indptr, 0},
      {"no token in a page", {0, 1, 2}, {0, 1, 2}, {1, 0}, PlanError::last_page_len, 1},
      {"too many in a page", {0, 1, 2}, {0, 1, 2}, {17, 1}, PlanError::last_page_len, 0},
      {"too many queries", {0, 70000}, {0, 1}, {1}, PlanError::too_many_tokens, 0},
      {"the first is named", {0, 1, 0, -1}, {0, 1, 0, 1}, {1, 1, 1}, PlanError::qo_indptr, 1},
  };
  LengthRandom random(1);
  const PlanSpec spec = random.plan_spec(64, 60000);
  for (const BadBatch& row : rows) {
    LengthBatch lengths{row.qo_indptr, row.kv_indptr, row.last_page_len, 16};
    Lists lists(spec);
    const PlanParams params = params_of(lengths, lists);
    Emulation(spec, params).run();
    EXPECT_EQ(lists.result.error, row.error) << row.name;
    EXPECT_EQ(lists.result.request, row.request) << row.name;
    EXPECT_EQ(lists.result.num_items, 0) << row.name;
    for (int32_t begin : lists.work_indptr) EXPECT_EQ(begin, 0) << row.name;
  }
}

}  // namespace
}  // namespace weft
