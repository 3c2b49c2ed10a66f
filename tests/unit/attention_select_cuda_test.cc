// SPDX-License-Identifier: Apache-2.0
// Which kernels a GPU runs for a config: the rule by which limits mean prompts, what the wgmma
// kernel leaves to the general one, and what explain() says of it. Pure functions.
#include <gtest/gtest.h>

#include "src/ops/attention/select.h"
#include "src/ops/attention/select_cuda.h"
#include "src/ops/attention/wgmma.h"
#include "src/plan/partition.h"

namespace weft {
namespace {

AttentionConfig engine(int group, int max_batch_size, int max_nnz_qo) {
  AttentionConfig c;
  c.num_kv_heads = 8;
  c.num_qo_heads = 8 * group;
  c.head_dim_qk = 128;
  c.page_size = 16;
  c.max_batch_size = max_batch_size;
  c.max_nnz_qo = max_nnz_qo;
  return c;
}

AttentionUnit unit_of(const AttentionConfig& config, int arch = 90) {
  Target target = Target::h200();
  target.arch = arch;
  return select_attention_cuda(checked_config(config), target).unit;
}

TEST(AttentionSelectCuda, LimitsThatMeanPromptsGetTheWgmmaKernel) {
  struct Row {
    const char* name;
    int group, max_batch_size, max_nnz_qo;
    AttentionUnit unit;
  };
  constexpr auto kMma = AttentionUnit::cuda_mma, kWgmma = AttentionUnit::cuda_wgmma;
  const Row rows[] = {
      {"decode", 4, 256, 256, kMma},
      {"decode of wide groups", 64, 256, 256, kMma},
      {"verify, four tokens", 4, 64, 256, kMma},
      {"verify, five tokens", 4, 64, 320, kWgmma},
      {"mixed, a budget of 2048 tokens", 4, 256, 2048, kWgmma},
      {"mixed without groups, 8 tokens a request", 1, 256, 2048, kMma},
      {"mixed without groups, 32 tokens a request", 1, 256, 8192, kWgmma},
      {"a prompt", 4, 1, 8192, kWgmma},
      {"one token", 4, 1, 1, kMma},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(unit_of(engine(row.group, row.max_batch_size, row.max_nnz_qo)), row.unit) << row.name;
    for (const int arch : {80, 89, 100, 120}) {
      EXPECT_EQ(unit_of(engine(row.group, row.max_batch_size, row.max_nnz_qo), arch), kMma)
          << row.name << " on sm_" << arch;
    }
  }
}

TEST(AttentionSelectCuda, WhatTheWgmmaKernelDoesNotDoStaysAndSaysWhy) {
  const AttentionConfig mixed = engine(4, 64, 8192);
  struct Row {
    const char* why;
    void (*change)(AttentionConfig&);
  };
  const Row rows[] = {
      {"dtype_kv", [](AttentionConfig& c) { c.dtype_kv = DType::e4m3; }},
      {"64 tiles for 132 SMs",
       [](AttentionConfig& c) {
         c.schedule = ScheduleMode::batch_invariant;
         c.max_batch_size = 8;
         c.max_nnz_qo = 256;
       }},
      {"multiple of 16", [](AttentionConfig& c) { c.head_dim_qk = 72; }},
  };
  EXPECT_EQ(unit_of(mixed), AttentionUnit::cuda_wgmma);
  for (const Row& row : rows) {
    AttentionConfig config = mixed;
    row.change(config);
    EXPECT_EQ(unit_of(config), AttentionUnit::cuda_mma) << row.why;
    config = checked_config(config);
    const Target target = Target::h200();
    const std::string text =
        explain_selection(config, target, select_attention_cuda(config, target));
    EXPECT_NE(text.find(row.why), std::string::npos) << text;
  }
}

TEST(AttentionSelectCuda, TwoListsServeEachRequestOnce) {
  const Target target = Target::h200();
  for (const int group : {1, 3, 4, 8, 16, 24, 64, 128}) {
    for (const int head_dim : {64, 128, 256}) {
      AttentionConfig config = engine(group, 8, 8192);
      config.num_kv_heads = 1;
      config.num_qo_heads = group;
      config.head_dim_qk = head_dim;
      config = checked_config(config);
      const AttentionSpec spec = select_attention_cuda(config, target);
      ASSERT_EQ(spec.unit, AttentionUnit::cuda_wgmma) << group << ", " << head_dim;
      for (int qo_len = 0; qo_len < 300; ++qo_len) {
        const bool many = num_tiles(spec.schedule, qo_len) > 0;
        const int few = num_tiles(spec.short_schedule, qo_len);
        ASSERT_EQ(many + few, qo_len > 0) << qo_len << ", group " << group;
        ASSERT_GT(qo_len == 0 || num_tiles(general_spec(spec).schedule, qo_len), 0);
      }
      // A decode is short wherever a token fits the general kernel's tile.
      const bool fits = group <= mma_spec(spec, target).qo_tile;
      EXPECT_EQ(num_tiles(spec.short_schedule, 1), fits ? 1 : 0) << group << ", " << head_dim;
    }
  }
}

TEST(AttentionSelectCuda, MixedLimitsGiveDecodesTilesOfTheirOwn) {
  AttentionConfig config = engine(4, 64, 8192);
  config.head_dim_qk = 72;  // the wgmma kernel's are multiples of 16
  config = checked_config(config);
  for (const int arch : {80, 90}) {
    Target target = Target::h200();
    target.arch = arch;
    const AttentionSpec spec = select_attention_cuda(config, target);
    ASSERT_EQ(spec.unit, AttentionUnit::cuda_mma);
    EXPECT_EQ(mma_spec(spec, target).qo_tile, 64);
    EXPECT_EQ(mma_spec(short_spec(spec), target).qo_tile, 16);
    for (int qo_len = 0; qo_len < 100; ++qo_len) {
      EXPECT_EQ((num_tiles(spec.schedule, qo_len) > 0) + num_tiles(spec.short_schedule, qo_len),
                qo_len > 0);
    }
    const std::string text = explain_selection(config, target, spec);
    EXPECT_NE(text.find("behind the others"), std::string::npos) << text;
  }
  AttentionConfig decode = config;
  decode.max_nnz_qo = decode.max_batch_size;
  EXPECT_TRUE(select_attention_cuda(decode, Target::h200()).short_schedule.serves_none());
}

TEST(AttentionSelectCuda, BatchInvariantTilesStayWhole) {
  AttentionConfig config = engine(4, 64, 8192);
  config.schedule = ScheduleMode::batch_invariant;
  config = checked_config(config);
  const Target target = Target::h200();
  const AttentionSpec spec = select_attention_cuda(config, target);
  ASSERT_EQ(spec.unit, AttentionUnit::cuda_wgmma);
  EXPECT_EQ(plan_capacity(spec.schedule, 64, 8192).partial_rows, 0);
  EXPECT_GT(spec.short_schedule.split_blocks, 0);
  const TileRange tile = tile_range(spec.schedule, 512, 65536, 3);
  for (int64_t offset = 0; offset < tile_cost(spec.schedule.cost, tile); offset += 10000) {
    EXPECT_EQ(cut_tile(spec.schedule, tile, offset).block, 0);
  }
}

TEST(AttentionSelectCuda, ABatchOfOneRequestHasOneList) {
  const AttentionSpec spec =
      select_attention_cuda(checked_config(engine(4, 1, 8192)), Target::h200());
  EXPECT_EQ(spec.unit, AttentionUnit::cuda_wgmma);
  EXPECT_TRUE(spec.short_schedule.serves_none());
  EXPECT_EQ(num_tiles(spec.schedule, 1), 1);
}

TEST(AttentionSelectCuda, ExplainNamesBothKernels) {
  const AttentionConfig config = checked_config(engine(4, 64, 8192));
  const Target target = Target::h200();
  const std::string text = explain_selection(config, target, select_attention_cuda(config, target));
  for (const char* words : {"cuda_wgmma", "128 query tokens a request", "short queries: up to 16",
                            "by cuda_mma", "16 bytes"}) {
    EXPECT_NE(text.find(words), std::string::npos) << words << "\n" << text;
  }
}

}  // namespace
}  // namespace weft
