// SPDX-License-Identifier: Apache-2.0
// rope on the CPU against float64: every dtype, pairing, frequency rule and way to give positions,
// on every instruction set and pool.
#include "kernels/core/rope.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/cases/attention_data.h"
#include "tests/cases/executors.h"
#include "tests/cases/targets.h"
#include "tests/cases/tensors.h"
#include "tests/oracle/numbers.h"
#include "tests/oracle/rope.h"
#include "weft/error.h"
#include "weft/rope.h"

namespace weft::cases {
namespace {

constexpr Rope kNeox{.mode = RopeMode::neox};
constexpr Rope kInterleaved{.mode = RopeMode::interleaved};
constexpr Rope kLlama31{.mode = RopeMode::neox, .theta = 500000.0f, .scale = 8.0f, .llama31 = true};

enum class Where { i32, i64, indptr };

struct RopeCase {
  const char* name;
  DType dtype = DType::f32;
  Rope rope = kNeox;
  int qo_heads = 4;
  int kv_heads = 2;
  int head_dim = 64;
  Where where = Where::i32;
  std::vector<int64_t> positions = {0, 1, 5, 63, 4095, 131071, 1000000};
  bool cache = false;
  bool in_place = false;
  int64_t pad = 0;
};

const std::vector<RopeCase> kCases = {
    {.name = "f32_neox"},
    {.name = "f16_neox", .dtype = DType::f16},
    {.name = "bf16_neox", .dtype = DType::bf16},
    {.name = "f32_interleaved", .rope = kInterleaved},
    {.name = "f16_interleaved_padded", .dtype = DType::f16, .rope = kInterleaved, .pad = 3},
    {.name = "bf16_interleaved_in_place",
     .dtype = DType::bf16,
     .rope = kInterleaved,
     .in_place = true},
    {.name = "f32_neox_in_place_padded", .in_place = true, .pad = 5},
    {.name = "bf16_neox_padded", .dtype = DType::bf16, .pad = 1},
    {.name = "llama31", .rope = kLlama31, .head_dim = 128},
    {.name = "llama31_bf16", .dtype = DType::bf16, .rope = kLlama31, .head_dim = 128},
    {.name = "llama31_interleaved_partial",
     .rope = {.mode = RopeMode::interleaved,
              .dim = 64,
              .theta = 500000.0f,
              .scale = 32.0f,
              .llama31 = true,
              .low_freq_factor = 1.5f,
              .high_freq_factor = 5.0f,
              .old_context_len = 4096},
     .head_dim = 96},
    {.name = "scaled_frequencies", .rope = {.mode = RopeMode::neox, .scale = 4.0f}},
    {.name = "faster_frequencies", .rope = {.mode = RopeMode::neox, .scale = 0.125f}},
    {.name = "partial_neox", .rope = {.mode = RopeMode::neox, .dim = 20}, .head_dim = 80},
    {.name = "partial_interleaved",
     .rope = {.mode = RopeMode::interleaved, .dim = 22},
     .head_dim = 80},
    {.name = "partial_in_place",
     .dtype = DType::f16,
     .rope = {.mode = RopeMode::neox, .dim = 32},
     .head_dim = 72,
     .in_place = true},
    {.name = "smallest_head", .qo_heads = 1, .kv_heads = 1, .head_dim = 2},
    {.name = "odd_head_dim", .rope = {.mode = RopeMode::neox, .dim = 6}, .head_dim = 7},
    {.name = "head_dim_112", .dtype = DType::bf16, .head_dim = 112},
    {.name = "largest_rotary_dim", .qo_heads = 1, .kv_heads = 1, .head_dim = 1024},
    {.name = "largest_rotary_dim_interleaved",
     .rope = kInterleaved,
     .qo_heads = 1,
     .kv_heads = 1,
     .head_dim = 1024},
    {.name = "without_k", .kv_heads = 0},
    {.name = "positions_i64", .where = Where::i64},
    {.name = "indptr_and_offsets", .where = Where::indptr},
    {.name = "indptr_in_place_bf16",
     .dtype = DType::bf16,
     .where = Where::indptr,
     .in_place = true},
    {.name = "cache_neox", .positions = {0, 31, 7, 7}, .cache = true},
    {.name = "cache_interleaved",
     .rope = kInterleaved,
     .positions = {31, 0, 3},
     .cache = true,
     .pad = 3},
    {.name = "cache_partial_i64",
     .dtype = DType::f16,
     .rope = {.mode = RopeMode::neox, .dim = 24},
     .where = Where::i64,
     .positions = {30, 1},
     .cache = true},
    {.name = "no_tokens", .positions = {}},
    {.name = "no_tokens_indptr", .where = Where::indptr, .positions = {}},
};

struct RopeData {
  RopeConfig config;
  RopeArgs args;
  OwnedTensor q, k, q_out, k_out, cache;
  OwnedTensor q_given, k_given;  // as they were before a run in place
  std::vector<Buffer> owners;
};

// Requests of 0, 2, 1, 0 and the remaining tokens, each at an offset of its own.
void give_indptr(RopeData& data, size_t nnz) {
  const int n = static_cast<int>(nnz);
  const int two = std::min(n, 2), three = std::min(n, 3);
  data.args.indptr = make_ints({0, 0, two, three, three, n}, data.owners);
  data.args.offsets = make_ints({9, 100, 0, 4, 131071}, data.owners);
}

void give_positions(const RopeCase& c, RopeData& data) {
  const size_t nnz = c.positions.size();
  if (c.where == Where::indptr) return give_indptr(data, nnz);
  if (c.where == Where::i32) {
    data.args.positions = make_ints({c.positions.begin(), c.positions.end()}, data.owners);
    return;
  }
  Buffer& memory = data.owners.emplace_back(nnz * 8);
  std::copy(c.positions.begin(), c.positions.end(), reinterpret_cast<int64_t*>(memory.data()));
  data.args.positions = TensorView(memory.data(), DType::i64, {static_cast<int64_t>(nnz)});
}

RopeData make_data(const RopeCase& c, uint64_t seed) {
  RopeData data;
  data.owners.reserve(8);
  Random random(seed);
  data.config = {.dtype = c.dtype,
                 .num_qo_heads = c.qo_heads,
                 .num_kv_heads = c.kv_heads,
                 .head_dim = c.head_dim,
                 .rope = c.rope};
  const auto nnz = static_cast<int64_t>(c.positions.size());
  const auto tensor = [&](int heads) {
    OwnedTensor t(c.dtype, {nnz, heads, c.head_dim}, c.pad);
    fill_normal(t.view, random);
    return t;
  };
  data.q = tensor(c.qo_heads);
  data.q_given = data.q.clone();
  data.q_out = c.in_place ? data.q : OwnedTensor(c.dtype, {nnz, c.qo_heads, c.head_dim}, c.pad);
  data.args.q = data.q.view, data.args.q_out = data.q_out.view;
  if (c.kv_heads > 0) {
    data.k = tensor(c.kv_heads);
    data.k_given = data.k.clone();
    data.k_out = c.in_place ? data.k : OwnedTensor(c.dtype, {nnz, c.kv_heads, c.head_dim}, c.pad);
    data.args.k = data.k.view, data.args.k_out = data.k_out.view;
  }
  give_positions(c, data);
  if (c.cache) {
    data.cache = OwnedTensor(DType::f32, {32, c.rope.dim == 0 ? c.head_dim : c.rope.dim}, c.pad);
    fill_normal(data.cache.view, random);
    data.args.cos_sin_cache = data.cache.view;
  }
  return data;
}

void restore(RopeData& data, const RopeCase& c) {
  for (auto [out, given] : {std::pair{&data.q_out, &data.q_given}, {&data.k_out, &data.k_given}}) {
    if (out->buffer.size() == 0) continue;
    if (!c.in_place) out->poison();
    if (c.in_place) std::copy_n(given->buffer.data(), given->buffer.size(), out->buffer.data());
  }
}

// Angles are good to 1.3e-7, f32 arithmetic adds about as much; both scale with the pair.
std::string compare_side(const RopeData& data, const OwnedTensor& given, const TensorView& out) {
  if (!out.given()) return "";
  RopeArgs args = data.args;
  for (int64_t t = 0; t < out.shape[0]; ++t) {
    for (int h = 0; h < out.shape[1]; ++h) {
      const std::vector<double> exact = oracle::rope_row(data.config, args, given.view, t, h);
      const int dim = rope_dim(data.config.rope, data.config.head_dim);
      for (int d = 0; d < data.config.head_dim; ++d) {
        const double x = oracle::at(given.view, {t, h, d});
        double error = 0;
        for (int i = 0; i < dim / 2 && d < dim; ++i) {
          const RopePair pair = rope_pair(data.config.rope.mode, dim, i);
          if (pair.first != d && pair.second != d) continue;
          error = 5e-7 * (std::fabs(oracle::at(given.view, {t, h, pair.first})) +
                          std::fabs(oracle::at(given.view, {t, h, pair.second})));
        }
        const std::string wrong =
            compare_rounded(oracle::address(out, {t, h, d}), out.dtype,
                            d < dim ? exact[static_cast<size_t>(d)] : x, error);
        if (wrong.empty()) continue;
        return "token " + std::to_string(t) + " head " + std::to_string(h) + " element " +
               std::to_string(d) + ": " + wrong;
      }
    }
  }
  return "";
}

std::string check_on(const Target& target, const RopeCase& c, RopeData& data) {
  const RopeOp op(data.config, target);
  const AllPools pools;
  std::vector<char> first_q, first_k;
  for (const TestPool* pool : pools.list()) {
    restore(data, c);
    op.run(data.args, pool->executor());
    const std::vector<char> q = bytes_of(data.q_out.buffer), k = bytes_of(data.k_out.buffer);
    if (first_q.empty()) first_q = q, first_k = k;
    if (q != first_q || k != first_k) return "other bits on " + pool->name();
  }
  std::string wrong = compare_side(data, data.q_given, data.args.q_out);
  if (wrong.empty()) wrong = compare_side(data, data.k_given, data.args.k_out);
  for (const OwnedTensor* out : {&data.q_out, &data.k_out}) {
    if (wrong.empty() && out->buffer.size() > 0) {
      wrong = find_stray_write(out->buffer, out->view, kPoisonByte);
    }
  }
  return wrong.empty() ? "" : to_string(target) + ": " + wrong;
}

std::string check(const RopeCase& c, uint64_t seed) {
  RopeData data = make_data(c, seed);
  std::string wrong;
  for (const Target& target : host_targets()) {
    if (wrong.empty()) wrong = check_on(target, c, data);
  }
  return wrong;
}

class RopeCases : public testing::TestWithParam<RopeCase> {};

TEST_P(RopeCases, MatchFloat64) { EXPECT_EQ(check(GetParam(), hash_of(GetParam().name)), ""); }

INSTANTIATE_TEST_SUITE_P(Rope, RopeCases, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Rope, RandomCasesMatchFloat64) {
  Random random(2024);
  constexpr DType kTypes[] = {DType::f32, DType::f16, DType::bf16};
  for (int i = 0; i < 120; ++i) {
    RopeCase c{.name = "random"};
    c.dtype = kTypes[random.integer(0, 2)];
    c.head_dim = static_cast<int>(random.integer(2, 160));
    c.rope = random.chance(0.3) ? kLlama31 : random.chance(0.5) ? kNeox : kInterleaved;
    c.rope.dim = static_cast<int>(random.integer(1, c.head_dim / 2)) * 2;
    c.rope.theta = static_cast<float>(random.integer(100, 1000000));
    c.qo_heads = static_cast<int>(random.integer(1, 9));
    c.kv_heads = static_cast<int>(random.integer(0, 3));
    c.where = static_cast<Where>(random.integer(0, 2));
    c.cache = c.where != Where::indptr && random.chance(0.3);
    c.in_place = random.chance(0.5);
    c.pad = random.integer(0, 4);
    c.positions.resize(static_cast<size_t>(random.integer(0, 20)));
    for (int64_t& p : c.positions) p = random.integer(0, c.cache ? 31 : 200000);
    ASSERT_EQ(check(c, static_cast<uint64_t>(i)), "")
        << "case " << i << ": " << name_of(c.dtype) << " head_dim " << c.head_dim << " dim "
        << c.rope.dim << " " << name_of(c.rope.mode) << " tokens " << c.positions.size();
  }
}

// Enough tokens that there are many tasks, on weft's own pool as well.
TEST(Rope, ManyTokensOnTheSharedPool) {
  RopeCase c{.name = "many",
             .dtype = DType::bf16,
             .qo_heads = 8,
             .kv_heads = 2,
             .head_dim = 128,
             .where = Where::indptr};
  c.positions.assign(500, 0);
  RopeData data = make_data(c, 1);
  const RopeOp op(data.config);
  op.run(data.args);
  EXPECT_EQ(compare_side(data, data.q_given, data.args.q_out), "");
  EXPECT_EQ(compare_side(data, data.k_given, data.args.k_out), "");
}

// q and k as slices of one fused projection, rotated where they lie; v between them is untouched.
TEST(Rope, SlicesOfOneTensorInPlace) {
  OwnedTensor qkv(DType::bf16, {6, 8, 64});
  Random random(3);
  fill_normal(qkv.view, random);
  const OwnedTensor before = qkv.clone();
  std::vector<Buffer> owners;
  RopeArgs args;
  args.q = args.q_out = qkv.view.slice(1, 0, 4);
  args.k = args.k_out = qkv.view.slice(1, 4, 6);
  args.positions = make_ints({3, 1, 4, 1, 5, 9}, owners);
  const RopeConfig config{.num_qo_heads = 4, .num_kv_heads = 2, .head_dim = 64, .rope = kNeox};
  RopeOp(config).run(args);
  RopeData data;
  data.config = config, data.args = args;
  OwnedTensor q = before, k = before;
  q.view = before.view.slice(1, 0, 4), k.view = before.view.slice(1, 4, 6);
  EXPECT_EQ(compare_side(data, q, args.q_out), "");
  EXPECT_EQ(compare_side(data, k, args.k_out), "");
  for (int64_t t = 0; t < 6; ++t) {
    EXPECT_EQ(0, memcmp(oracle::address(qkv.view, {t, 6, 0}),
                        oracle::address(before.view, {t, 6, 0}), 2 * 64 * 2));
  }
}

TEST(Rope, NanAndInfinityStayInTheirPair) {
  for (const Target& target : host_targets()) {
    OwnedTensor q(DType::f32, {1, 1, 64}), out(DType::f32, {1, 1, 64});
    Random random(5);
    fill_normal(q.view, random);
    float* x = static_cast<float*>(q.view.data);
    x[3] = NAN, x[40] = INFINITY;
    std::vector<Buffer> owners;
    RopeArgs args;
    args.q = q.view, args.q_out = out.view;
    args.positions = make_ints({17}, owners);
    RopeOp({.dtype = DType::f32, .num_qo_heads = 1, .head_dim = 64, .rope = kNeox}, target)
        .run(args);
    const float* y = static_cast<const float*>(out.view.data);
    for (int i = 0; i < 64; ++i) {
      EXPECT_EQ(std::isfinite(y[i]), i % 32 != 3 && i % 32 != 8) << "element " << i;
    }
  }
}

// The portable arithmetic alone, at positions where f32 angles would be off by whole turns.
TEST(Rope, AnglesOfLongPositions) {
  for (const Rope& rope : {kNeox, kLlama31}) {
    for (int64_t position : {int64_t{131071}, int64_t{1000000}, kMaxRopePosition}) {
      for (int i = 0; i < 64; ++i) {
        const CosSin w = rope_cos_sin(rope_angle(rope_turns(rope, 128, i), position));
        const double angle = static_cast<double>(position) * oracle::rope_frequency(rope, 128, i);
        // Beyond 2^24 the float64 reference itself resolves the angle no better.
        const double error = 1.3e-7 + angle * 4e-16;
        EXPECT_NEAR(w.cos, std::cos(angle), error) << position << " pair " << i;
        EXPECT_NEAR(w.sin, std::sin(angle), error) << position << " pair " << i;
      }
    }
  }
}

TEST(Rope, ExplainsItself) {
  for (const Target& target : host_targets()) {
    const RopeOp op({.num_qo_heads = 32, .num_kv_heads = 8, .head_dim = 128, .rope = kLlama31},
                    target);
    EXPECT_EQ(op.config().rope.dim, 128);
    EXPECT_NE(op.explain().find("rope neox dim 128 theta 500000 scale 8 llama31"),
              std::string::npos)
        << op.explain();
    const char* unit = target.isa == Isa::scalar ? "cpu_scalar"
                       : target.isa == Isa::avx2 ? "cpu_avx2"
                                                 : "cpu_avx512";
    EXPECT_NE(op.explain().find(unit), std::string::npos) << op.explain();
  }
  EXPECT_THROW(RopeOp({.num_qo_heads = 1, .head_dim = 64, .rope = kNeox}, Target::h200()), Error);
}

}  // namespace
}  // namespace weft::cases
