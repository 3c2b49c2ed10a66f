// SPDX-License-Identifier: Apache-2.0
// The same content asked for in different ways gives the same bits: other pages, page sizes,
// ragged, other storage; and in the batch-invariant mode other batches. Two halves merged give the
// whole.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/cases/executors.h"
#include "tests/cases/random.h"
#include "tests/cases/run_case.h"
#include "tests/cases/targets.h"
#include "tests/oracle/numbers.h"
#include "weft/merge.h"

namespace weft::cases {
namespace {

uint64_t seed() { return 4711 + static_cast<uint64_t>(GTEST_FLAG_GET(random_seed)); }

std::vector<char> bits_of_run(const AttentionCase& c, const Target& target,
                              uint64_t layout_seed = 1) {
  AttentionData data = make_attention_data(c, seed(), layout_seed);
  Runner runner(data.config, target);
  runner.plan(data.batch);
  runner.run(data);
  return output_bits(data);
}

/// Bits of o and lse of one request.
std::vector<char> bits_of_request(const AttentionData& data, int request) {
  std::vector<char> bits;
  const int64_t begin = oracle::int_at(data.batch.qo_indptr, request);
  const int64_t end = oracle::int_at(data.batch.qo_indptr, request + 1);
  for (const TensorView* x : {&data.args.o, &data.args.lse}) {
    bits.insert(bits.end(), oracle::address(*x, {begin}), oracle::address(*x, {end}));
    EXPECT_TRUE(x->is_contiguous());
  }
  return bits;
}

class Equivalence : public testing::TestWithParam<Target> {};

struct Variant {
  const char* name;
  AttentionCase c;
};

std::vector<Variant> variants() {
  const std::vector<Lengths> lengths{{1, 900}, {70, 330}, {5, 65}, {2, 0}, {1, 40}};
  return {
      {"bf16", {.head_dim = 128, .requests = lengths}},
      {"f32", {.q = DType::f32, .kv = DType::f32, .requests = lengths}},
      {"e4m3", {.kv = DType::e4m3, .requests = lengths, .head_scales = true}},
      {"group_8", {.qo_heads = 8, .kv_heads = 1, .requests = lengths, .window = 70}},
      {"group_1_rope",
       {.qo_heads = 3, .kv_heads = 3, .rope = {.mode = RopeMode::neox}, .requests = lengths}},
      {"decode_many_heads",
       {.qo_heads = 40, .kv_heads = 20, .requests = {{1, 700}, {1, 65}, {2, 0}, {3, 130}, {1, 1}}}},
      {"custom", {.mask = MaskMode::custom, .requests = lengths, .sink = true}},
  };
}

TEST_P(Equivalence, PagesAndStorageDoNotChangeBits) {
  for (const Variant& variant : variants()) {
    AttentionCase c = variant.c;
    c.page_size = 16;
    const std::vector<char> expected = bits_of_run(c, GetParam());
    for (const uint64_t order : {2u, 3u, 4u}) {
      EXPECT_EQ(bits_of_run(c, GetParam(), order), expected) << variant.name << ", other pages";
    }
    for (const int page_size : {1, 3, 17, 64, 256, 2096}) {
      c.page_size = page_size;
      EXPECT_EQ(bits_of_run(c, GetParam()), expected)
          << variant.name << ", page size " << page_size;
    }
    c.page_size = 0;
    EXPECT_EQ(bits_of_run(c, GetParam()), expected) << variant.name << ", ragged";
    c.page_size = 16;
    for (const Storage storage : {Storage::joined, Storage::layer_in_page, Storage::strided}) {
      c.storage = storage;
      EXPECT_EQ(bits_of_run(c, GetParam()), expected)
          << variant.name << ", storage " << static_cast<int>(storage);
    }
    c.storage = Storage::separate;
    c.layout = KvLayout::hnd;
    EXPECT_EQ(bits_of_run(c, GetParam()), expected) << variant.name << ", hnd";
  }
}

// Which heads walk side by side depends on how many threads there are.
TEST_P(Equivalence, ThreadsDoNotChangeBits) {
  for (const Variant& variant : variants()) {
    if (variant.c.kv_heads < 2) continue;
    AttentionData data = make_attention_data(variant.c, seed());
    Runner runner(data.config, GetParam());
    runner.plan(data.batch);
    std::vector<char> expected;
    for (const int threads : {1, 2, 7}) {
      const TestPool pool(TestPool::Order::threads, threads);
      runner.run(data, pool.executor());
      if (threads == 1) expected = output_bits(data);
      EXPECT_EQ(output_bits(data), expected) << variant.name << ", " << threads << " threads";
    }
  }
}

TEST_P(Equivalence, RunToRun) {
  const AttentionCase c{.name = "repeat", .requests = {{1, 2500}, {50, 400}, {1, 7}, {4, 1200}}};
  AttentionData data = make_attention_data(c, seed());
  Runner runner(data.config, GetParam());
  const TestPool pool(TestPool::Order::threads, 7);
  std::vector<char> first;
  for (int round = 0; round < 30; ++round) {
    if (round % 3 == 0) runner.plan(data.batch);
    runner.run(data, pool.executor());
    if (round == 0) first = output_bits(data);
    ASSERT_EQ(output_bits(data), first) << "round " << round;
  }
  EXPECT_GT(runner.plan().num_merges(), 0);
}

/// The request under test among `others`, at place `at`.
AttentionCase batch_with(const AttentionCase& alone, const std::vector<Lengths>& others,
                         size_t at) {
  AttentionCase c = alone;
  c.requests = others;
  c.requests.insert(c.requests.begin() + static_cast<std::ptrdiff_t>(at), alone.requests[0]);
  return c;
}

TEST_P(Equivalence, BatchInvariantModeIgnoresNeighbours) {
  const Lengths subjects[] = {{1, 3000}, {1, 64}, {7, 1100}, {150, 700}, {1, 257}, {3, 2}};
  int times_cut = 0;
  int times_whole = 0;
  for (const Lengths subject : subjects) {
    for (const int split : {128, 1024}) {
      AttentionCase alone{.name = "alone",
                          .schedule = ScheduleMode::batch_invariant,
                          .split_kv = split,
                          .requests = {subject}};
      alone.requests[0].id = 1000;
      AttentionConfig config = config_of(alone);
      config.max_batch_size = 60;
      config.max_nnz_qo = 1000;
      Runner runner(config, GetParam());
      Random random(seed());
      std::vector<char> expected;
      for (int round = 0; round < 5; ++round) {
        std::vector<Lengths> others(round == 0 ? 0 : round == 1 ? 1 : 50);
        for (Lengths& r : others) {
          r = {static_cast<int>(random.integer(0, 15)), static_cast<int>(random.integer(0, 300))};
          if (round == 4) r.kv = 40;
        }
        const auto at = static_cast<size_t>(random.integer(0, static_cast<int64_t>(others.size())));
        AttentionData data = make_attention_data(batch_with(alone, others, at), seed());
        runner.plan(data.batch);
        runner.run(data);
        const std::vector<char> bits = bits_of_request(data, static_cast<int>(at));
        if (round == 0) expected = bits;
        EXPECT_EQ(bits, expected) << "qo " << subject.qo << " kv " << subject.kv << " split "
                                  << split << " round " << round << " place " << at;
        (runner.plan().num_merges() > 0 ? times_cut : times_whole) += 1;
      }
    }
  }
  EXPECT_GT(times_cut, 0);
  EXPECT_GT(times_whole, 0);
}

/// [begin, end) of the keys of a ragged case with one request.
AttentionArgs keys_of(const AttentionData& data, int64_t begin, int64_t end, TensorView o,
                      TensorView lse) {
  AttentionArgs args = data.args;
  args.k = data.args.k.slice(0, begin, end);
  args.v = data.args.v.slice(0, begin, end);
  args.o = o;
  args.lse = lse;
  return args;
}

TEST_P(Equivalence, HalvesMergedMakeTheWhole) {
  constexpr int kQo = 9, kKv = 700, kCut = 300;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const bool base2 : {false, true}) {
      const AttentionCase c{.name = "halves",
                            .q = dtype,
                            .kv = dtype,
                            .o = DType::f32,
                            .page_size = 0,
                            .requests = {{kQo, kKv}},
                            .soft_cap = 9,
                            .base2 = base2};
      AttentionData data = make_attention_data(c, seed());
      // States [n, 2, heads, dim]: the early keys, seen by all, and the late ones, causal.
      std::vector<float> states(kQo * 2 * 4 * 64);
      std::vector<float> lses(kQo * 2 * 4);
      const TensorView o(states.data(), DType::f32, {kQo, 2, 4, 64});
      const TensorView lse(lses.data(), DType::f32, {kQo, 2, 4});
      for (int half = 0; half < 2; ++half) {
        AttentionConfig config = data.config;
        if (half == 0) config.mask = MaskMode::none;
        std::vector<Buffer> owners;
        AttentionBatch batch;
        batch.qo_indptr = make_ints({0, kQo}, owners);
        batch.kv_indptr = make_ints({0, half == 0 ? kCut : kKv - kCut}, owners);
        Runner runner(config, GetParam());
        runner.plan(batch);
        AttentionData part = data;
        part.args = keys_of(data, half == 0 ? 0 : kCut, half == 0 ? kCut : kKv, o.select(1, half),
                            lse.select(1, half));
        runner.run(part);
      }
      const Merge merge({.dtype = DType::f32, .num_heads = 4, .head_dim = 64, .lse_base2 = base2},
                        GetParam());
      data.poison_outputs();
      merge.run(MergeArgs{.o_in = o, .lse_in = lse, .o = data.args.o, .lse = data.args.lse});
      EXPECT_EQ(compare_rows(data, expect_rows(data, seed())).failure, "") << name_of(dtype);
      data.poison_outputs();
      merge.run(MergePairArgs{.o_a = o.select(1, 1),
                              .lse_a = lse.select(1, 1),
                              .o_b = o.select(1, 0),
                              .lse_b = lse.select(1, 0),
                              .o = data.args.o,
                              .lse = data.args.lse,
                              .mask = {}});
      EXPECT_EQ(compare_rows(data, expect_rows(data, seed())).failure, "") << name_of(dtype);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Host, Equivalence, testing::ValuesIn(host_targets()),
                         [](const testing::TestParamInfo<Target>& info) {
                           return std::string(name_of(info.param.isa)) +
                                  (info.param.fast_bf16 ? "_fast_bf16" : "");
                         });

}  // namespace
}  // namespace weft::cases
