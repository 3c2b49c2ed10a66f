// SPDX-License-Identifier: Apache-2.0
// Properties of the stream-K partition over random and adversarial lengths: exact coverage, order,
// capacities, merges, balance, determinism. No tensors.
#include "src/plan/partition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/cases/plan_check.h"

namespace weft::cases {
namespace {

uint64_t seed(uint64_t test) {
  return test * 7919 + static_cast<uint64_t>(GTEST_FLAG_GET(random_seed));
}

/// Plans with limits that just hold the batch, so that capacities are at their tightest.
PlanLists tight_plan(const ScheduleSpec& spec, const BatchOfLengths& batch) {
  return make_plan(spec, batch, std::max(1, batch.size()), std::max(1, batch.qo_indptr.back()));
}

std::string wrong_with(const ScheduleSpec& spec, const BatchOfLengths& batch,
                       const PlanLists& plan) {
  return check_plan(spec, batch, plan);
}

TEST(Partition, CoversSmallBatchesExactlyOnce) {
  Random random(seed(1));
  for (int round = 0; round < 1500; ++round) {
    ScheduleSpec spec = random_spec(random);
    spec.group_size = std::min(spec.group_size, 4);
    const BatchOfLengths batch = random_batch(random, static_cast<int>(random.integer(0, 5)), 12);
    const PlanLists plan = tight_plan(spec, batch);
    ASSERT_EQ(wrong_with(spec, batch, plan), "") << "round " << round << ": " << print(spec);
    ASSERT_EQ(check_coverage(spec, batch, plan), "") << "round " << round << ": " << print(spec);
  }
}

TEST(Partition, RandomSpecsAndBatches) {
  Random random(seed(2));
  for (int round = 0; round < 3000; ++round) {
    const ScheduleSpec spec = random_spec(random);
    const int max_kv = round % 3 == 0 ? 100 : round % 3 == 1 ? 3000 : 100000;
    const BatchOfLengths batch =
        random_batch(random, static_cast<int>(random.integer(0, 60)), max_kv);
    ASSERT_EQ(wrong_with(spec, batch, tight_plan(spec, batch)), "")
        << "round " << round << ": " << print(spec);
  }
}

TEST(Partition, LargeBatches) {
  Random random(seed(3));
  for (const int batch_size : {0, 1, 255, 256, 1024, 4095, 4096}) {
    for (int round = 0; round < 6; ++round) {
      const ScheduleSpec spec = random_spec(random);
      const BatchOfLengths batch = random_batch(random, batch_size, 4000);
      ASSERT_EQ(wrong_with(spec, batch, tight_plan(spec, batch)), "")
          << "batch_size " << batch_size << ": " << print(spec);
    }
  }
}

TEST(Partition, SameLengthsSameLists) {
  Random random(seed(4));
  for (int round = 0; round < 200; ++round) {
    const ScheduleSpec spec = random_spec(random);
    const BatchOfLengths batch =
        random_batch(random, static_cast<int>(random.integer(0, 100)), 5000);
    const PlanLists a = tight_plan(spec, batch);
    const PlanLists b = make_plan(spec, batch, batch.size() + 9, batch.qo_indptr.back() + 999);
    ASSERT_EQ(a.work_indptr, b.work_indptr);
    for (int i = 0; i < a.summary.num_items; ++i) {
      ASSERT_EQ(a.items[static_cast<size_t>(i)], b.items[static_cast<size_t>(i)]);
    }
    for (int i = 0; i < a.summary.num_merges; ++i) {
      ASSERT_EQ(a.merges[static_cast<size_t>(i)], b.merges[static_cast<size_t>(i)]);
    }
  }
}

/// Each cut lies at most the smallest piece and half a fixed part away from the even share, and a
/// cut adds one fixed part.
TEST(Partition, LoadsAreEven) {
  Random random(seed(5));
  int measured = 0;
  for (int round = 0; round < 3000; ++round) {
    ScheduleSpec spec = random_spec(random);
    spec.split_blocks = 0;
    const BatchOfLengths batch =
        random_batch(random, static_cast<int>(random.integer(1, 60)), 20000);
    const PlanLists plan = tight_plan(spec, batch);
    const std::vector<int64_t> loads = group_loads(spec, batch, plan);
    const int64_t block = spec.cost.per_block + int64_t{spec.qo_tile} * spec.cost.per_block_row;
    const int64_t piece =
        std::max(spec.min_blocks * block, int64_t{spec.qo_tile} * spec.cost.per_piece_row);
    const int64_t slack = 2 * (piece + spec.cost.fixed);
    const int64_t busiest = *std::max_element(loads.begin(), loads.end());
    const int64_t total = std::accumulate(loads.begin(), loads.end(), int64_t{0});
    const int64_t mean = total / plan.summary.active_groups;
    ASSERT_LE(busiest, mean + slack + 1) << "round " << round << ": " << print(spec);
    if (mean < 20 * (piece + spec.cost.fixed)) continue;
    ++measured;
    ASSERT_LE(static_cast<double>(busiest), 1.1 * static_cast<double>(mean))
        << "round " << round << ": " << print(spec);
  }
  EXPECT_GT(measured, 100);
}

/// A piece of many rows leaves a large state: it is worth its blocks, or the tile stays whole.
TEST(Partition, PiecesAreWorthTheirStates) {
  ScheduleSpec spec;
  spec.qo_tile = 192;
  spec.kv_tile = 64;
  spec.num_groups = 8;
  spec.cost = {400, 900, 150, 600};
  BatchOfLengths two_blocks, eighty;
  two_blocks.add(192, 128);
  EXPECT_EQ(tight_plan(spec, two_blocks).summary.num_merges, 0);
  eighty.add(192, 64 * 80);
  const PlanLists plan = tight_plan(spec, eighty);
  EXPECT_EQ(plan.summary.num_items, 8);
  for (int i = 0; i < plan.summary.num_items; ++i) {
    const WorkItem& item = plan.items[static_cast<size_t>(i)];
    EXPECT_GE(item.kv_end - item.kv_begin, 3 * 64);
  }
  spec.cost.per_piece_row = 0;
  EXPECT_EQ(tight_plan(spec, two_blocks).summary.num_merges, 1);
}

TEST(Partition, EmptyBatchHasNoWork) {
  Random random(seed(6));
  for (int round = 0; round < 100; ++round) {
    const ScheduleSpec spec = random_spec(random);
    BatchOfLengths batch;
    for (int r = 0; r < round % 4; ++r) batch.add(0, 100 * r);
    const PlanLists plan = tight_plan(spec, batch);
    EXPECT_EQ(plan.summary.num_items, 0);
    EXPECT_EQ(plan.summary.num_merges, 0);
    EXPECT_EQ(wrong_with(spec, batch, plan), "");
  }
}

/// Fixed splits: a request's cuts and states do not depend on its neighbours beyond where workers
/// end, so every piece begins and ends at a multiple of the split.
TEST(Partition, InvariantModeCutsOnlyAtSplits) {
  Random random(seed(7));
  int pieces = 0;
  for (int round = 0; round < 1000; ++round) {
    ScheduleSpec spec = random_spec(random);
    spec.split_blocks = 1 << random.integer(0, 4);
    spec.max_tile_partial_rows = 8 * spec.qo_tile;
    const BatchOfLengths batch =
        random_batch(random, static_cast<int>(random.integer(1, 20)), 20000);
    const PlanLists plan = tight_plan(spec, batch);
    ASSERT_EQ(wrong_with(spec, batch, plan), "") << print(spec);
    const int split = spec.split_blocks * spec.kv_tile;
    for (int i = 0; i < plan.summary.num_items; ++i) {
      const WorkItem& w = plan.items[static_cast<size_t>(i)];
      if (w.partial_row < 0) continue;
      ++pieces;
      ASSERT_EQ(w.kv_begin % split, 0) << print(spec);
    }
    for (int i = 0; i < plan.summary.num_merges; ++i) {
      const MergeItem& m = plan.merges[static_cast<size_t>(i)];
      ASSERT_LE(int64_t{m.num_states} * m.rows, spec.max_tile_partial_rows) << print(spec);
    }
  }
  EXPECT_GT(pieces, 1000);
}

}  // namespace
}  // namespace weft::cases
