// SPDX-License-Identifier: Apache-2.0
// logprobs on the CPU against float64, the same bits on every instruction set and pool, what it
// says of the tokens that sampling draws, and everything that it refuses.
#include "weft/logprobs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/cases/executors.h"
#include "tests/cases/logprobs_case.h"
#include "tests/cases/refusal.h"
#include "tests/cases/targets.h"
#include "tests/oracle/numbers.h"

namespace weft::cases {
namespace {

// Empty when the outputs are right, and the same bits on every target and pool.
std::string check(const SamplingCase& c, int num, uint64_t seed) {
  LogprobsData data = make_logprobs_data(c, num, seed);
  std::vector<char> first;
  for (const Target& target : host_targets()) {
    const AllPools pools;
    for (const TestPool* pool : pools.list()) {
      data.poison();
      Logprobs(data.config, target).run(data.args, pool->executor());
      if (first.empty()) first = data.bits();
      if (data.bits() != first) return "other bits on " + to_string(target) + " " + pool->name();
      if (c.vocab > 2000) break;
    }
  }
  return compare_logprobs(data);
}

TEST(Logprobs, CasesMatchFloat64) {
  for (const SamplingCase& c : sampling_cases()) {
    if (c.input == SamplingInput::probs) continue;
    for (const int num : {1, 20, 128}) {
      if (num != 20 && c.vocab > 2000) continue;
      EXPECT_EQ(check(c, num, hash_of(c.name)), "") << c.name << " " << num;
    }
  }
}

TEST(Logprobs, RandomCasesMatchFloat64) {
  Random random(23);
  for (int i = 0; i < 100; ++i) {
    SamplingCase c = random_sampling_case(random, 2000);
    c.input = SamplingInput::logits;
    const int num = static_cast<int>(random.integer(1, 40));
    ASSERT_EQ(check(c, num, static_cast<uint64_t>(i)), "") << "case " << i << " vocab " << c.vocab;
  }
}

struct OneRow {
  explicit OneRow(std::vector<float> values, int num) : logits(std::move(values)) {
    const auto vocab = static_cast<int>(logits.size());
    config = {.vocab_size = vocab, .num = num};
    tokens.assign(static_cast<size_t>(num), -7), logprobs.assign(static_cast<size_t>(num), 7);
    args.input = TensorView(logits.data(), DType::f32, {1, vocab});
    args.top_tokens = TensorView(tokens.data(), DType::i32, {1, num});
    args.top_logprobs = TensorView(logprobs.data(), DType::f32, {1, num});
    args.status = TensorView(&status, DType::u8, {1});
  }
  void run() { Logprobs(config).run(args); }

  std::vector<float> logits, logprobs;
  std::vector<int32_t> tokens;
  LogprobsConfig config;
  LogprobsArgs args;
  uint8_t status = 9;
};

TEST(Logprobs, OfAFewTokens) {
  OneRow row({std::log(1.0f), std::log(2.0f), -INFINITY, std::log(5.0f), std::log(2.0f)}, 6);
  row.run();
  EXPECT_EQ(row.tokens, (std::vector<int32_t>{3, 1, 4, 0, -1, -1}));
  const float wanted[] = {std::log(0.5f), std::log(0.2f), std::log(0.2f), std::log(0.1f)};
  for (size_t j = 0; j < 4; ++j) EXPECT_NEAR(row.logprobs[j], wanted[j], 1e-6);
  EXPECT_EQ(row.logprobs[4], -INFINITY);
  EXPECT_EQ(row.status, 0);
}

TEST(Logprobs, RowsWithoutADistributionAreAStatus) {
  for (const auto& [value, status] : {std::pair{NAN, 1}, std::pair{-INFINITY, 2}}) {
    OneRow row(std::vector<float>(400, -INFINITY), 2);
    row.logits[333] = value;
    row.run();
    EXPECT_EQ(row.status, status);
    EXPECT_EQ(row.tokens, (std::vector<int32_t>{-1, -1}));
    EXPECT_TRUE(std::isnan(row.logprobs[0]) && std::isnan(row.logprobs[1]));
  }
}

// What a sampler without filters says of its token is what logprobs says of it.
TEST(Logprobs, AgreeWithThoseOfSampling) {
  const SamplingCase c{.name = "agree", .vocab = 3000, .n = 40, .temperature = 0.7, .bias = true};
  const SamplingData sampled = make_sampling_data(c, 5);
  Sampling(sampled.config).run(sampled.args);
  LogprobsData data = make_logprobs_data(c, 3, 5);
  data.args.token = sampled.args.token;
  Logprobs(data.config).run(data.args);
  for (int64_t i = 0; i < c.n; ++i) {
    EXPECT_EQ(oracle::at(data.args.token_logprob, {i}), oracle::at(sampled.args.logprob, {i}));
  }
}

// After `filter` wrote what top-p keeps, they are shares of that.
TEST(Logprobs, OfWhatAFilterKeeps) {
  const SamplingCase c{.name = "kept", .vocab = 500, .n = 3, .top_p = 0.6};
  SamplingData sampled = make_sampling_data(c, 6);
  OwnedTensor masked(DType::f32, {3, 500});
  sampled.filter.probs = {}, sampled.filter.masked = masked.view;
  const Sampling op(sampled.config);
  op.filter(sampled.filter), op.run(sampled.args);
  LogprobsData data = make_logprobs_data(c, 5, 6);
  data.args.input = masked.view, data.args.token = sampled.args.token;
  Logprobs(data.config).run(data.args);
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(oracle::at(data.args.token_logprob, {i}), oracle::at(sampled.args.logprob, {i}));
  }
}

TEST(LogprobsRefuses, WrongTensors) {
  struct Row {
    const char* name;
    TensorView LogprobsArgs::*field;
    bool required = false;
  };
  const Row rows[] = {{"input", &LogprobsArgs::input, true},
                      {"temperature", &LogprobsArgs::temperature},
                      {"frequency_penalty", &LogprobsArgs::frequency_penalty},
                      {"output_counts", &LogprobsArgs::output_counts},
                      {"bias", &LogprobsArgs::bias},
                      {"allowed", &LogprobsArgs::allowed},
                      {"token", &LogprobsArgs::token},
                      {"top_tokens", &LogprobsArgs::top_tokens, true},
                      {"top_logprobs", &LogprobsArgs::top_logprobs, true},
                      {"token_logprob", &LogprobsArgs::token_logprob, true}};
  const LogprobsData data = make_logprobs_data({.name = "full",
                                                .vocab = 70,
                                                .temperature = 1,
                                                .penalties = true,
                                                .bias = true,
                                                .allowed = true},
                                               5, 1);
  for (const Row& row : rows) {
    for (const TensorFault& fault : tensor_faults()) {
      const std::string what = fault.name;
      if (what == "absent" && !row.required) continue;
      if (what == "another size" && row.field == &LogprobsArgs::input) continue;
      LogprobsArgs args = data.args;
      fault.apply(args.*row.field);
      EXPECT_EQ(
          check_refusal([&] { Logprobs(data.config).run(args); }, ErrorKind::invalid_argument,
                        row.name, fault.part, {&data.outputs[0].buffer, &data.outputs[1].buffer}),
          "")
          << row.name << " " << fault.name;
    }
  }
}

TEST(LogprobsRefuses, WrongContents) {
  const LogprobsData data =
      make_logprobs_data({.name = "contents", .vocab = 70, .temperature = 1}, 5, 1);
  const auto refused = [&](const char* name) {
    return check_refusal([&] { Logprobs(data.config).run(data.args); }, ErrorKind::invalid_argument,
                         name, "[2] out of it", {&data.outputs[0].buffer, &data.outputs[1].buffer});
  };
  static_cast<int32_t*>(data.args.token.data)[2] = 70;
  EXPECT_EQ(refused("token"), "");
  static_cast<float*>(data.args.temperature.data)[2] = NAN;
  EXPECT_EQ(refused("temperature"), "");
  LogprobsConfig unchecked = data.config;
  unchecked.checked = false;
  Logprobs(unchecked).run(data.args);
  for (int64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(static_cast<const uint8_t*>(data.args.status.data)[i], i == 2 ? 3 : 0);
  }
}

TEST(LogprobsRefuses, WrongConfigs) {
  const LogprobsConfig right{.vocab_size = 10, .num = 3};
  EXPECT_NO_THROW(Logprobs{right});
  struct Row {
    const char* name;
    LogprobsConfig config;
  };
  const Row rows[] = {{"vocab_size", {.num = 3}},
                      {"num", {.vocab_size = 10}},
                      {"num", {.vocab_size = 1000, .num = 129}},
                      {"dtype", {.dtype = DType::i32, .vocab_size = 10, .num = 3}}};
  for (const Row& row : rows) {
    EXPECT_EQ(
        check_refusal([&] { Logprobs{row.config}; }, ErrorKind::invalid_argument, row.name, "", {}),
        "");
  }
}

}  // namespace
}  // namespace weft::cases
