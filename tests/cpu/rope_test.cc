// SPDX-License-Identifier: Apache-2.0
// rope on the CPU against float64: every dtype, pairing, frequency rule and way to give positions,
// on every instruction set and pool.
#include "kernels/core/rope.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/cases/attention_data.h"
#include "tests/cases/executors.h"
#include "tests/cases/rope_case.h"
#include "tests/cases/targets.h"
#include "tests/oracle/numbers.h"
#include "tests/oracle/rope.h"
#include "weft/error.h"
#include "weft/rope.h"

namespace weft::cases {
namespace {

std::string check_on(const Target& target, const RopeCase& c, RopeData& data) {
  const RopeOp op(data.config, target);
  const AllPools pools;
  std::vector<char> first_q, first_k;
  for (const TestPool* pool : pools.list()) {
    restore_outputs(c, data);
    op.run(data.args, pool->executor());
    const std::vector<char> q = bytes_of(data.q_out.buffer), k = bytes_of(data.k_out.buffer);
    if (first_q.empty()) first_q = q, first_k = k;
    if (q != first_q || k != first_k) return "other bits on " + pool->name();
  }
  const std::string wrong = compare_rope(data);
  return wrong.empty() ? "" : to_string(target) + ": " + wrong;
}

std::string check(const RopeCase& c, uint64_t seed) {
  RopeData data = make_rope_data(c, seed);
  std::string wrong;
  for (const Target& target : host_targets()) {
    if (wrong.empty()) wrong = check_on(target, c, data);
  }
  return wrong;
}

class RopeCases : public testing::TestWithParam<RopeCase> {};

TEST_P(RopeCases, MatchFloat64) { EXPECT_EQ(check(GetParam(), hash_of(GetParam().name)), ""); }

INSTANTIATE_TEST_SUITE_P(Rope, RopeCases, testing::ValuesIn(rotation_cases()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Rope, RandomCasesMatchFloat64) {
  Random random(2024);
  for (int i = 0; i < 120; ++i) {
    const RopeCase c = random_rope_case(random);
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
             .where = RopeWhere::indptr};
  c.positions.assign(500, 0);
  RopeData data = make_rope_data(c, 1);
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
  const RopeConfig config{.num_qo_heads = 4, .num_kv_heads = 2, .head_dim = 64, .rope = kNeoxRope};
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
    RopeOp({.dtype = DType::f32, .num_qo_heads = 1, .head_dim = 64, .rope = kNeoxRope}, target)
        .run(args);
    const float* y = static_cast<const float*>(out.view.data);
    for (int i = 0; i < 64; ++i) {
      EXPECT_EQ(std::isfinite(y[i]), i % 32 != 3 && i % 32 != 8) << "element " << i;
    }
  }
}

// The portable arithmetic alone, at positions where f32 angles would be off by whole turns.
TEST(Rope, AnglesOfLongPositions) {
  for (const Rope& rope : {kNeoxRope, kLlama31Rope}) {
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
    const RopeOp op({.num_qo_heads = 32, .num_kv_heads = 8, .head_dim = 128, .rope = kLlama31Rope},
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
  EXPECT_THROW(RopeOp({.num_qo_heads = 1, .head_dim = 64, .rope = kNeoxRope}, Target::h200()),
               Error);
}

}  // namespace
}  // namespace weft::cases
