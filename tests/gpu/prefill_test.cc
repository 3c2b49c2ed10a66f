// SPDX-License-Identifier: Apache-2.0
// The wgmma attention kernel against the float64 oracle: rows of its own for tiles, blocks and
// pages it treats apart, and every row of the shared tables that it does; each once with few
// workers (whole tiles) and once with many (cut ones).
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/cases/random.h"
#include "tests/cases/random_case.h"
#include "tests/gpu/wgmma_runner.h"

namespace weft::test {
namespace {

using cases::AttentionCase;
using cases::Lengths;
using cases::Storage;

bool is_done(const AttentionCase& c) {
  return wgmma_spec(checked_config(cases::config_of(c))).num_consumers > 0;
}

class PrefillOnGpu : public testing::TestWithParam<AttentionCase> {
 protected:
  void SetUp() override {
    if (gpu_backend() == nullptr) GTEST_SKIP() << "no GPU: " << no_gpu_reason();
  }
};

TEST_P(PrefillOnGpu, MatchesOracle) {
  const AttentionCase& c = GetParam();
  if (!is_done(c)) GTEST_SKIP() << "left to the general kernel";
  cases::AttentionData data = cases::make_attention_data(c, 1);
  if (!wgmma_can_read(data.args)) GTEST_SKIP() << "the copy engine cannot read it";
  const uint64_t seed = cases::hash_of(c.name) + static_cast<uint64_t>(GTEST_FLAG_GET(random_seed));
  double worst = 0;
  for (const int num_groups : {2, 132}) {
    EXPECT_EQ(check_wgmma_case(c, seed, num_groups, &worst), "")
        << cases::describe(c) << ", " << num_groups << " groups";
  }
  RecordProperty("worst_error_over_tolerance", std::to_string(worst));
}

AttentionCase row(const char* name, int head_dim, int qo_heads, int kv_heads, int page_size,
                  std::vector<Lengths> requests) {
  AttentionCase c{.name = name};
  c.head_dim = head_dim;
  c.qo_heads = qo_heads;
  c.kv_heads = kv_heads;
  c.page_size = page_size;
  c.requests = std::move(requests);
  return c;
}

std::vector<AttentionCase> tile_cases() {
  const std::vector<Lengths> mixed{{128, 128}, {1, 900}, {300, 300}, {0, 40},   {77, 513},
                                   {200, 20},  {5, 0},   {64, 1025}, {129, 257}};
  std::vector<AttentionCase> rows{
      row("ragged_hd128", 128, 4, 4, 0, mixed),
      row("ragged_hd128_group4", 128, 8, 2, 0, mixed),
      row("ragged_hd128_group3", 128, 6, 2, 0, mixed),
      row("ragged_hd128_group7", 128, 7, 1, 0, mixed),
      row("page16_hd128_group4", 128, 8, 2, 16, mixed),
      row("page48_hd128_group8", 128, 8, 1, 48, mixed),
      row("page128_hd128_group2", 128, 4, 2, 128, mixed),
      row("page528_hd128", 128, 2, 2, 528, mixed),
      row("ragged_hd64", 64, 4, 4, 0, mixed),
      row("page16_hd64_group8", 64, 16, 2, 16, mixed),
      row("ragged_hd256", 256, 2, 2, 0, mixed),
      row("page16_hd256_group4", 256, 8, 2, 16, mixed),
      row("page32_hd96", 96, 4, 2, 32, mixed),
      row("ragged_hd80", 80, 4, 2, 0, mixed),
      row("page16_hd192", 192, 4, 2, 16, mixed),
  };
  AttentionCase narrow = row("page16_hd192_128", 192, 4, 2, 16, mixed);
  narrow.head_dim_vo = 128;
  rows.push_back(narrow);
  const size_t count = rows.size();
  for (size_t i = 0; i < count; ++i) {
    AttentionCase c = rows[i];
    c.name += "_full";
    c.mask = MaskMode::none;
    c.layout = KvLayout::hnd;
    c.q = c.kv = DType::f16;
    if (i % 2 == 0) c.window = 100;
    rows.push_back(c);
    c = rows[i];
    c.name += "_window";
    c.window = i % 2 == 0 ? 200 : 33;
    c.sink = true;
    c.magnitude = 8;
    if (c.page_size > 0) c.storage = Storage::joined;
    rows.push_back(c);
  }
  return rows;
}

std::string case_name(const testing::TestParamInfo<AttentionCase>& info) { return info.param.name; }

#define WEFT_PREFILL_TABLE(name, table) \
  INSTANTIATE_TEST_SUITE_P(name, PrefillOnGpu, testing::ValuesIn(table()), case_name)
WEFT_PREFILL_TABLE(Tiles, tile_cases);
WEFT_PREFILL_TABLE(Pages, cases::page_cases);
WEFT_PREFILL_TABLE(Lengths, cases::length_cases);
WEFT_PREFILL_TABLE(Heads, cases::head_cases);
WEFT_PREFILL_TABLE(Masks, cases::mask_cases);
WEFT_PREFILL_TABLE(Values, cases::value_cases);
WEFT_PREFILL_TABLE(Dtypes, cases::dtype_cases);
WEFT_PREFILL_TABLE(Ragged, cases::ragged_cases);
WEFT_PREFILL_TABLE(Rope, cases::rope_cases);

}  // namespace
}  // namespace weft::test
