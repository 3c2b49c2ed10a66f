// SPDX-License-Identifier: Apache-2.0
// Sampling on the CPU against float64: every filter and adjustment, dtypes and vocabularies, the
// same bits on every instruction set and pool, ties, and rows that cannot be drawn from.
#include "weft/sampling.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/cases/executors.h"
#include "tests/cases/sampling_case.h"
#include "tests/cases/targets.h"
#include "tests/oracle/numbers.h"
#include "tests/oracle/sampling.h"
#include "weft/error.h"

namespace weft::cases {
namespace {

// The bits have to be the same on every target: compares with what the first one gave.
std::string check(const SamplingCase& c, uint64_t seed) {
  SamplingData data = make_sampling_data(c, seed);
  std::vector<char> first_token, first_logprob, first_probs;
  for (const Target& target : host_targets()) {
    const Sampling op(data.config, target);
    const AllPools pools;
    for (const TestPool* pool : pools.list()) {
      data.token.poison(), data.logprob.poison(), data.status.poison(), data.probs.poison();
      op.run(data.args, pool->executor());
      if (!c.indices) op.filter(data.filter, pool->executor());
      const std::vector<char> token = bytes_of(data.token.buffer);
      const std::vector<char> logprob = bytes_of(data.logprob.buffer);
      const std::vector<char> probs = bytes_of(data.probs.buffer);
      if (first_token.empty()) first_token = token, first_logprob = logprob, first_probs = probs;
      if (token != first_token || logprob != first_logprob || probs != first_probs) {
        return "other bits on " + to_string(target) + " " + pool->name();
      }
      if (c.vocab > 2000) break;
    }
  }
  std::string wrong = compare_samples(data);
  if (wrong.empty() && !c.indices) wrong = compare_filter(data);
  if (wrong.empty()) wrong = find_stray_write(data.probs.buffer, data.probs.view, kPoisonByte);
  return wrong;
}

class SamplingCases : public testing::TestWithParam<SamplingCase> {};

TEST_P(SamplingCases, MatchFloat64) { EXPECT_EQ(check(GetParam(), hash_of(GetParam().name)), ""); }

INSTANTIATE_TEST_SUITE_P(Sampling, SamplingCases, testing::ValuesIn(sampling_cases()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Sampling, RandomCasesMatchFloat64) {
  Random random(7);
  for (int i = 0; i < 200; ++i) {
    const SamplingCase c = random_sampling_case(random, 3000);
    ASSERT_EQ(check(c, static_cast<uint64_t>(i)), "")
        << "case " << i << ": " << to_string(make_sampling_data(c, 1).config) << ", spread "
        << static_cast<int>(c.spread) << ", k " << c.top_k << ", p " << c.top_p << ", min "
        << c.min_p << ", t " << c.temperature;
  }
}

TEST(Sampling, MasksMatchFloat64) {
  for (const SamplingCase& c : sampling_cases()) {
    if (c.indices || c.input == SamplingInput::probs || c.spread == LogitSpread::wide) continue;
    SamplingData data = make_sampling_data(c, 3);
    OwnedTensor masked(c.dtype, {c.n, c.vocab}, c.pad);
    data.filter.probs = {}, data.filter.masked = masked.view;
    Sampling(data.config).filter(data.filter);
    EXPECT_EQ(compare_filter(data), "") << c.name;
  }
}

// One row of logits in f32 and what is drawn from it.
struct OneRow {
  explicit OneRow(std::vector<float> values) : logits(std::move(values)) {
    config.vocab_size = static_cast<int>(logits.size());
    args.input = TensorView(logits.data(), DType::f32, {1, static_cast<int64_t>(logits.size())});
    args.seed = TensorView(&seed, DType::i64, {1});
    args.token = TensorView(&token, DType::i32, {1});
    args.logprob = TensorView(&logprob, DType::f32, {1});
    args.status = TensorView(&status, DType::u8, {1});
  }
  int draw() {
    Sampling(config).run(args);
    return token;
  }

  std::vector<float> logits;
  SamplingConfig config;
  SamplingArgs args;
  int64_t seed = 3;
  int32_t token = -1;
  float logprob = 0;
  uint8_t status = 9;
};

TEST(Sampling, RowsThatCannotBeDrawnFrom) {
  OneRow nan({1, 2, NAN, 3});
  EXPECT_EQ(nan.draw(), 0);
  EXPECT_EQ(nan.status, static_cast<uint8_t>(TokenStatus::nan));
  EXPECT_TRUE(std::isnan(nan.logprob));
  OneRow negative_nan({1, 2, -NAN, 3});
  EXPECT_EQ(negative_nan.draw(), 0);
  EXPECT_EQ(negative_nan.status, static_cast<uint8_t>(TokenStatus::nan));
  OneRow masked(std::vector<float>(300, -INFINITY));
  EXPECT_EQ(masked.draw(), 0);
  EXPECT_EQ(masked.status, static_cast<uint8_t>(TokenStatus::nothing_to_draw));
  OneRow zeros(std::vector<float>(300, 0.0f));
  zeros.config.input = SamplingInput::probs;
  EXPECT_EQ(zeros.draw(), 0);
  EXPECT_EQ(zeros.status, static_cast<uint8_t>(TokenStatus::nothing_to_draw));
}

TEST(Sampling, OneFiniteValueIsTaken) {
  for (float value : {0.0f, -0.0f, 1e-45f, -3e38f, 5.0f}) {
    std::vector<float> row(777, -INFINITY);
    row[555] = value;
    OneRow one(row);
    EXPECT_EQ(one.draw(), 555) << value;
    EXPECT_EQ(one.logprob, 0.0f);
    EXPECT_EQ(one.status, 0);
  }
}

TEST(Sampling, InfinityIsTheLargestNumber) {
  OneRow row({1, INFINITY, 2, INFINITY});
  int ones = 0;
  for (row.seed = 0; row.seed < 100; ++row.seed) {
    const int token = row.draw();
    EXPECT_TRUE(token == 1 || token == 3) << token;
    ones += token == 1;
  }
  EXPECT_GT(ones, 20);
  EXPECT_LT(ones, 80);
}

TEST(Sampling, GreedyTakesTheLowestIdOfTheLargest) {
  std::vector<float> values(3000, 0.5f);
  values[700] = values[2999] = 2.0f;
  OneRow row(values);
  float zero = 0;
  row.args.temperature = TensorView(&zero, DType::f32, {1});
  EXPECT_EQ(row.draw(), 700);
  EXPECT_EQ(row.logprob, 0.0f);
  int32_t one = 1;
  row.args.temperature = {}, row.args.top_k = TensorView(&one, DType::i32, {1});
  EXPECT_EQ(row.draw(), 700);
  row.logits[100] = -0.0f, row.logits[50] = 0.0f;
  for (float& x : row.logits) x = x > 0 ? -1.0f : x;
  EXPECT_EQ(row.draw(), 50) << "-0 and 0 are equal";
}

// A row's token is its own whatever stands beside it, wherever it stands.
TEST(Sampling, TokensDoNotDependOnTheBatch) {
  const SamplingCase c{.name = "batch", .vocab = 2500, .n = 40, .temperature = 0.9, .top_p = 0.9};
  const SamplingData data = make_sampling_data(c, 5);
  const Sampling op(data.config);
  op.run(data.args);
  for (int64_t i = 0; i < c.n; ++i) {
    SamplingArgs one = data.args;
    int32_t token = -1;
    for (auto field : {&SamplingArgs::input, &SamplingArgs::seed, &SamplingArgs::offset,
                       &SamplingArgs::temperature, &SamplingArgs::top_p, &SamplingArgs::logprob,
                       &SamplingArgs::status}) {
      one.*field = (one.*field).slice(0, i, i + 1);
    }
    one.token = TensorView(&token, DType::i32, {1});
    op.run(one);
    EXPECT_EQ(token, oracle::int_at(data.args.token, i)) << i;
  }
}

TEST(Sampling, UncheckedParametersAreAStatus) {
  OneRow row({1, 2, 3});
  row.config.checked = false;
  float bad = NAN;
  for (auto field : {&SamplingArgs::temperature, &SamplingArgs::top_p, &SamplingArgs::min_p}) {
    SamplingArgs args = row.args;
    args.*field = TensorView(&bad, DType::f32, {1});
    row.token = -1;
    Sampling(row.config).run(args);
    EXPECT_EQ(row.token, 0);
    EXPECT_EQ(row.status, static_cast<uint8_t>(TokenStatus::bad_parameter));
  }
}

// Whatever the parameters and values: a token of the vocabulary, a status, the same everywhere.
TEST(Sampling, AnyBitsGiveATokenOrAStatus) {
  Random random(41);
  for (int i = 0; i < 300; ++i) {
    SamplingData data = make_sampling_data(random_sampling_case(random, 600), random.next());
    scramble(data, random);
    std::vector<char> first;
    for (const Target& target : host_targets()) {
      data.token.poison(), data.logprob.poison(), data.status.poison();
      Sampling(data.config, target).run(data.args);
      std::vector<char> all = bytes_of(data.token.buffer);
      for (const OwnedTensor* t : {&data.logprob, &data.status}) {
        const std::vector<char> more = bytes_of(t->buffer);
        all.insert(all.end(), more.begin(), more.end());
      }
      if (first.empty()) first = all;
      ASSERT_EQ(all, first) << "call " << i << " on " << to_string(target);
    }
    for (int64_t n = 0; n < data.args.token.shape[0]; ++n) {
      const int64_t token = oracle::int_at(data.args.token, n);
      const int status = static_cast<const uint8_t*>(data.args.status.data)[n];
      ASSERT_TRUE(token >= 0 && token < data.config.vocab_size) << "call " << i;
      ASSERT_LE(status, 3);
      ASSERT_TRUE(status == 0 || token == 0);
    }
  }
}

TEST(Sampling, RandomBitsAreThoseOfPhilox) {
  // Of the known answers in the reference implementation (Random123): words 0 and 1.
  EXPECT_EQ(oracle::uniform(0, 0), 0xe169c58d * 0x1p-32 + 0x6627e8d5 * 0x1p-64);
}

}  // namespace
}  // namespace weft::cases
