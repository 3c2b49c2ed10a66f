// SPDX-License-Identifier: Apache-2.0
// The KV range of a tile against brute force: every visible key inside, none but visible ones at
// the ends, for causal and windowed tiles of any shape.
#include <gtest/gtest.h>

#include "kernels/core/work.h"
#include "tests/cases/plan_check.h"

namespace weft::cases {
namespace {

/// First and one past the last key that a tile sees, key by key. Empty: first = end = 0.
struct Seen {
  int first = 0;
  int end = 0;
};

Seen brute_force(const ScheduleSpec& s, int qo_len, int kv_len, int row_begin, int rows,
                 int window) {
  Seen seen;
  bool any = false;
  for (int j = 0; j < kv_len; ++j) {
    for (int p = row_begin; p < row_begin + rows; ++p) {
      const int at = p / s.group_size + kv_len - qo_len;
      if (s.causal && j > at) continue;
      if (window >= 0 && j < at - window) continue;
      if (!any) seen.first = j;
      any = true;
      seen.end = j + 1;
    }
  }
  return seen;
}

TEST(TileRange, HoldsExactlyTheVisibleKeys) {
  Random random(static_cast<uint64_t>(GTEST_FLAG_GET(random_seed)) + 11);
  int tiles = 0;
  for (int round = 0; round < 4000; ++round) {
    ScheduleSpec s = random_spec(random);
    s.qo_tile = static_cast<int>(random.integer(1, 40));
    s.window_left = random.chance(0.5) ? -1 : static_cast<int>(random.integer(0, 60));
    const int qo_len = static_cast<int>(random.integer(1, 30));
    const int kv_len = static_cast<int>(random.integer(0, 150));
    int covered = 0;
    for (int t = 0; t < num_tiles(s, qo_len); ++t, ++tiles) {
      const TileRange range = tile_range(s, qo_len, kv_len, t);
      ASSERT_GT(range.rows, 0);
      ASSERT_LE(range.rows, s.qo_tile);
      covered += range.rows;
      const Seen all = brute_force(s, qo_len, kv_len, t * s.qo_tile, range.rows, -1);
      ASSERT_EQ(range.kv_end, all.end) << print(s);
      const Seen seen = brute_force(s, qo_len, kv_len, t * s.qo_tile, range.rows, s.window_left);
      if (seen.end == 0) continue;
      ASSERT_EQ(range.first_block, seen.first / s.kv_tile) << print(s);
      ASSERT_EQ(range.num_blocks, (seen.end - 1) / s.kv_tile + 1 - range.first_block) << print(s);
    }
    ASSERT_EQ(covered, qo_len * s.group_size);
  }
  EXPECT_GT(tiles, 4000);
}

TEST(TileRange, EndsOfOneQuery) {
  for (int qo_len = 1; qo_len <= 7; ++qo_len) {
    for (int kv_len = 0; kv_len <= 9; ++kv_len) {
      for (int i = 0; i < qo_len; ++i) {
        for (int window = -1; window <= 10; ++window) {
          int first = kv_len;
          int end = 0;
          for (int j = kv_len - 1; j >= 0; --j) {
            if (window < 0 || j >= i + kv_len - qo_len - window) first = j;
            if (end == 0 && j <= i + kv_len - qo_len) end = j + 1;
          }
          EXPECT_EQ(causal_end(i, qo_len, kv_len), end);
          EXPECT_EQ(window_begin(i, qo_len, kv_len, window), first);
        }
      }
    }
  }
}

TEST(TileRange, FarEndsDoNotOverflow) {
  constexpr int kFar = 2147483647;
  EXPECT_EQ(window_begin(0, 1, kFar, kFar), 0);
  EXPECT_EQ(window_begin(0, 1, kFar, 0), kFar - 1);
  EXPECT_EQ(window_begin(0, kFar, 1, kFar), 0);
  EXPECT_EQ(causal_end(kFar - 1, kFar, kFar), kFar);
  EXPECT_EQ(causal_end(0, kFar, 1), 0);
  const ScheduleSpec s{.group_size = 8, .qo_tile = 192, .kv_tile = 64, .causal = true};
  EXPECT_EQ(tile_range(s, 1, kFar, 0).num_blocks, (1 << 25));
}

}  // namespace
}  // namespace weft::cases
