// SPDX-License-Identifier: Apache-2.0
// The oracle's own numbers against values known from the formats' definitions, and its attention
// against cases that can be worked out by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/oracle/attention.h"
#include "tests/oracle/merge.h"
#include "tests/oracle/numbers.h"
#include "tests/oracle/rope.h"

namespace weft::oracle {
namespace {

double decoded(DType dtype, uint32_t bits) { return decode(&bits, dtype, 0); }

uint32_t encoded(DType dtype, double value) {
  uint32_t bits = 0;
  encode(&bits, dtype, 0, value);
  return bits;
}

TEST(Numbers, KnownCodes) {
  struct Row {
    DType dtype;
    uint32_t bits;
    double value;
  };
  const double inf = std::numeric_limits<double>::infinity();
  const Row rows[] = {
      {DType::e4m3, 0x7e, 448},
      {DType::e4m3, 0x38, 1},
      {DType::e4m3, 0xb8, -1},
      {DType::e4m3, 0x01, std::ldexp(1, -9)},
      {DType::e4m3, 0x08, 0x1p-6},
      {DType::e4m3, 0x78, 256},
      {DType::e5m2, 0x7b, 57344},
      {DType::e5m2, 0x7c, inf},
      {DType::e5m2, 0x3c, 1},
      {DType::e5m2, 0x01, 0x1p-16},
      {DType::f16, 0x7bff, 65504},
      {DType::f16, 0x3c00, 1},
      {DType::f16, 0x0001, 0x1p-24},
      {DType::f16, 0xfc00, -inf},
      {DType::bf16, 0x3f80, 1},
      {DType::bf16, 0x7f80, inf},
      {DType::bf16, 0x4049, 3.140625},
      {DType::bf16, 0x0001, 0x1p-133},
      {DType::f32, 0x40490fdb, 3.1415927410125732},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(decoded(row.dtype, row.bits), row.value) << name_of(row.dtype) << " " << row.bits;
    if (std::isinf(row.value) && is_fp8(row.dtype)) continue;  // saturates
    EXPECT_EQ(encoded(row.dtype, row.value), row.bits) << name_of(row.dtype) << " " << row.bits;
  }
  EXPECT_TRUE(std::isnan(decoded(DType::e4m3, 0x7f)));
  EXPECT_TRUE(std::isnan(decoded(DType::e4m3, 0xff)));
  EXPECT_TRUE(std::isnan(decoded(DType::e5m2, 0x7d)));
}

TEST(Numbers, EveryCodeOfEveryFormatSurvives) {
  for (const DType dtype : {DType::e4m3, DType::e5m2, DType::f16, DType::bf16}) {
    for (uint32_t bits = 0; bits < (1u << (8 * bytes_of(dtype))); ++bits) {
      const double value = decoded(dtype, bits);
      if (std::isnan(value) || (std::isinf(value) && is_fp8(dtype))) continue;
      ASSERT_EQ(encoded(dtype, value), bits) << name_of(dtype);
    }
  }
}

TEST(Numbers, RoundsToNearestEven) {
  EXPECT_EQ(rounded(DType::bf16, 1 + 0x1p-8), 1);  // tie to even
  EXPECT_EQ(rounded(DType::bf16, 1 + 3 * 0x1p-8), 1 + 0x1p-6);
  EXPECT_EQ(rounded(DType::bf16, 1 + 0x1p-8 + 0x1p-30), 1 + 0x1p-7);
  EXPECT_EQ(rounded(DType::e4m3, 1e9), 448);
  EXPECT_EQ(rounded(DType::e4m3, -464.1), -448);
  EXPECT_EQ(rounded(DType::e5m2, 1e9), 57344);
  EXPECT_EQ(rounded(DType::f16, 65520), std::numeric_limits<double>::infinity());
  EXPECT_EQ(rounded(DType::f16, 65519.9), 65504);
  EXPECT_EQ(rounded(DType::e4m3, 0x1p-10), 0);  // tie to even: zero
  EXPECT_EQ(rounded(DType::e4m3, 1.1 * 0x1p-10), 0x1p-9);
}

TEST(Numbers, F32AgreesWithTheMachine) {
  uint64_t state = 1;
  for (int i = 0; i < 100000; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    double value;
    std::memcpy(&value, &state, sizeof value);
    if (!std::isfinite(value)) continue;
    EXPECT_EQ(rounded(DType::f32, value), static_cast<double>(static_cast<float>(value)));
  }
}

TEST(Rope, QuarterTurn) {
  // Pair 0 turns by one radian a position.
  std::vector<double> x{1, 2, 0, 0};
  rotate({.mode = RopeMode::neox}, 1, x);
  EXPECT_NEAR(x[0], std::cos(1.0), 1e-15);
  EXPECT_NEAR(x[2], std::sin(1.0), 1e-15);
  EXPECT_NEAR(x[1], 2 * std::cos(0.01), 1e-15);
  std::vector<double> y{1, 0, 2, 0};
  rotate({.mode = RopeMode::interleaved}, 1, y);
  EXPECT_NEAR(y[1], std::sin(1.0), 1e-15);
  EXPECT_NEAR(y[2], 2 * std::cos(0.01), 1e-15);
}

TEST(Rope, Llama31KeepsFastPairsAndSlowsTheRest) {
  const Rope rope{.mode = RopeMode::neox, .theta = 5e5f, .scale = 8, .llama31 = true};
  EXPECT_EQ(rope_frequency(rope, 128, 0), 1.0);
  EXPECT_NEAR(rope_frequency(rope, 128, 63), std::pow(5e5, -126.0 / 128) / 8, 1e-12);
  // Between: 2 pi / f = 8192 / 2.5 lies midway between the two factors.
  Rope middle = rope;
  middle.theta = static_cast<float>(std::pow(2 * M_PI * 2.5 / 8192, -2.0));
  EXPECT_NEAR(rope_frequency(middle, 4, 1) / std::pow(middle.theta, -0.5), 0.5 + 0.5 / 8, 1e-6);
}

TEST(Merge, IdentityAndHalves) {
  const double none = -std::numeric_limits<double>::infinity();
  const State a{{2.0}, std::log(3.0)};
  const State b{{-1.0}, std::log(1.0)};
  EXPECT_NEAR(merge({a, b}, false).o[0], (3 * 2.0 - 1) / 4, 1e-15);
  EXPECT_NEAR(merge({a, b}, false).lse, std::log(4.0), 1e-15);
  EXPECT_EQ(merge({a, {{7.0}, none}}, false).o[0], 2.0);
  EXPECT_EQ(merge({{{7.0}, none}, {{5.0}, none}}, true).o[0], 0.0);
  EXPECT_NEAR(merge({{{1.0}, 3}, {{1.0}, 3}}, true).lse, 4, 1e-15);
}

TEST(Attention, ByHand) {
  // One query, two keys with logits 0 and log 3, a sink of log 4: weights 1/8, 3/8 and 4/8.
  const float q[] = {1};
  const float k[] = {0, std::log(3.0f)};
  const float v[] = {8, 16};
  const float sink[] = {std::log(4.0f)};
  const int32_t one[] = {0, 1};
  const int32_t two[] = {0, 2};
  const auto dense = [](const void* data, DType dtype, std::initializer_list<int64_t> shape) {
    return TensorView(data, dtype, shape);
  };
  const AttentionConfig config{.dtype_q = DType::f32,
                               .dtype_kv = DType::f32,
                               .num_qo_heads = 1,
                               .num_kv_heads = 1,
                               .head_dim_qk = 1};
  AttentionBatch batch;
  batch.qo_indptr = dense(one, DType::i32, {2});
  batch.kv_indptr = dense(two, DType::i32, {2});
  AttentionArgs args;
  args.q = dense(q, DType::f32, {1, 1, 1});
  args.k = dense(k, DType::f32, {2, 1, 1});
  args.v = dense(v, DType::f32, {2, 1, 1});
  args.sink = dense(sink, DType::f32, {1});
  oracle::Attention exact(config, batch, args);
  const AttentionRow row = exact.row(0, 0, 0);
  EXPECT_NEAR(row.o[0], 1 + 6, 1e-6);
  EXPECT_NEAR(row.lse, std::log(8.0), 1e-6);
  args.window_left = 0;
  EXPECT_NEAR(oracle::Attention(config, batch, args).row(0, 0, 0).o[0], 48.0 / 7, 1e-6);
}

}  // namespace
}  // namespace weft::oracle
