// SPDX-License-Identifier: Apache-2.0
// Which configs the wgmma attention kernel does, and that the tiles chosen for them fit an SM.
#include <gtest/gtest.h>

#include "src/ops/attention/select.h"
#include "src/ops/attention/wgmma.h"

namespace weft::test {
namespace {

constexpr int kMostSmem = 227 * 1024;  // of a CTA on sm_90

AttentionConfig config_of(int head_dim, int group) {
  AttentionConfig config;
  config.num_kv_heads = 2;
  config.num_qo_heads = 2 * group;
  config.head_dim_qk = head_dim;
  config.page_size = 16;
  config.max_batch_size = 8;
  config.max_nnz_qo = 4096;
  return checked_config(config);
}

TEST(WgmmaSpec, TilesFitSharedMemoryAndHoldWholeTokens) {
  for (int head_dim = 16; head_dim <= 256; head_dim += 16) {
    for (int group : {1, 2, 3, 5, 7, 8, 12, 64, 128}) {
      const AttentionConfig config = config_of(head_dim, group);
      const AttentionWgmmaSpec spec = wgmma_spec(config);
      SCOPED_TRACE("head_dim " + std::to_string(head_dim) + " group " + std::to_string(group));
      ASSERT_GT(spec.num_consumers, 0);
      EXPECT_LE(AttentionWgmmaSmem::of(spec).bytes, kMostSmem);
      const ScheduleSpec schedule = wgmma_schedule(config, spec, 132);
      EXPECT_EQ(schedule.qo_tile % group, 0);
      EXPECT_LE(schedule.qo_tile, spec.tile_rows());
      EXPECT_GT(schedule.qo_tile + group, spec.tile_rows());
      EXPECT_EQ(schedule.heads_per_lane * schedule.head_lanes, config.num_kv_heads);
      EXPECT_LE(spec.kv_tile, 128);  // a row's visible values are one word
    }
  }
}

TEST(WgmmaSpec, OffsetsKeepTheirAlignment) {
  for (int head_dim : {64, 96, 128, 192, 256}) {
    const AttentionWgmmaSpec spec = wgmma_spec(config_of(head_dim, 4));
    const AttentionWgmmaSmem smem = AttentionWgmmaSmem::of(spec);
    for (int tile : {smem.q, smem.k, smem.v}) EXPECT_EQ(tile % 1024, 0) << head_dim;
    for (int slot :
         {AttentionWgmmaSmem::q_tile(spec).bytes(), AttentionWgmmaSmem::k_tile(spec).bytes(),
          AttentionWgmmaSmem::v_tile(spec).bytes()}) {
      EXPECT_EQ(slot % 1024, 0) << head_dim;
    }
    for (int ring : {smem.q_ring, smem.k_ring, smem.v_ring}) EXPECT_EQ(ring % 8, 0) << head_dim;
  }
}

TEST(WgmmaSpec, WhatItDoesNotDoIsLeftToTheGeneralKernel) {
  struct Row {
    const char* name;
    void (*change)(AttentionConfig&);
  };
  const Row rows[] = {
      {"fp8 cache", [](AttentionConfig& c) { c.dtype_kv = DType::e4m3; }},
      {"f32", [](AttentionConfig& c) { c.dtype_q = c.dtype_kv = DType::f32; }},
      {"another type of cache", [](AttentionConfig& c) { c.dtype_kv = DType::f16; }},
      {"head_dim 72", [](AttentionConfig& c) { c.head_dim_qk = c.head_dim_vo = 72; }},
      {"head_dim 320", [](AttentionConfig& c) { c.head_dim_qk = 320; }},
      {"a group beyond a tile", [](AttentionConfig& c) { c.num_qo_heads = 2 * 129; }},
  };
  for (const Row& row : rows) {
    AttentionConfig config = config_of(128, 4);
    row.change(config);
    EXPECT_EQ(wgmma_spec(config).num_consumers, 0) << row.name;
  }
  for (const int page_size : {1, 8, 16, 17, 24, 48}) {
    AttentionConfig paged = config_of(128, 4);
    paged.page_size = page_size;
    EXPECT_EQ(wgmma_spec(paged).gather, page_size % 16 != 0) << page_size;
  }
  AttentionConfig ragged = config_of(128, 4);
  ragged.page_size = 0;
  EXPECT_GT(wgmma_spec(ragged).num_consumers, 0);
}

TEST(SwizzledTile, EveryElementHasABytePairOfItsOwn) {
  for (int span : {16, 32, 64, 128}) {
    const SwizzledTile tile{24, 80, span};
    std::vector<int> seen(static_cast<size_t>(tile.bytes() / 2), 0);
    for (int row = 0; row < tile.rows; ++row) {
      for (int column = 0; column < tile.columns; ++column) {
        const int at = tile.at(row, column);
        ASSERT_EQ(at % 2, 0);
        ASSERT_LT(at, tile.bytes());
        ASSERT_EQ(seen[static_cast<size_t>(at / 2)]++, 0) << "span " << span;
      }
    }
  }
}

// Eight rows' chunks of one column lie in eight different groups of four banks.
TEST(SwizzledTile, DownAColumnBanksDiffer) {
  const SwizzledTile tile{64, 128, 128};
  for (int column = 0; column < tile.columns; column += 8) {
    unsigned groups = 0;
    for (int row = 8; row < 16; ++row) groups |= 1u << (tile.at(row, column) / 16 % 8);
    EXPECT_EQ(groups, 0xffu) << column;
  }
}

}  // namespace
}  // namespace weft::test
