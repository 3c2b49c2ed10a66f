// SPDX-License-Identifier: Apache-2.0
// A million draws from one row fit the renormalised distribution: chi-square for many filters and
// vocabularies, from logits and from probabilities. And everything that sampling refuses.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/cases/refusal.h"
#include "tests/cases/sampling_case.h"
#include "tests/oracle/sampling.h"
#include "weft/sampling.h"

namespace weft::cases {
namespace {

struct Draws {
  const char* name;
  int vocab;
  int count;
  double temperature = -1, top_p = -1, min_p = -1;
  int top_k = -1;
  SamplingInput input = SamplingInput::logits;
  FilterOrder order = FilterOrder::top_k_first;
};

// How far chi-square is from its mean, in standard deviations; tokens of few expected draws are
// pooled.
double chi_square(const std::vector<double>& share, const std::vector<double>& seen, int count) {
  double chi = 0, pooled_seen = 0, pooled = 0, bins = 0;
  const auto add = [&](double got, double wanted) {
    chi += (got - wanted) * (got - wanted) / wanted;
    ++bins;
  };
  for (size_t t = 0; t < seen.size(); ++t) {
    const double wanted = share[t] * count;
    if (wanted == 0 && seen[t] > 0) return INFINITY;
    if (wanted >= 10) {
      add(seen[t], wanted);
    } else {
      pooled_seen += seen[t], pooled += wanted;
    }
  }
  if (pooled >= 10) add(pooled_seen, pooled);
  const double freedom = std::max(1.0, bins - 1);
  return (chi - freedom) / std::sqrt(2 * freedom);
}

// Draws `count` samples of row 0 of the case, and compares how often each token came.
double deviation(const Draws& d) {
  const SamplingCase c{.name = d.name,
                       .vocab = d.vocab,
                       .n = 1,
                       .input = d.input,
                       .order = d.order,
                       .temperature = d.temperature,
                       .top_p = d.top_p,
                       .min_p = d.min_p,
                       .top_k = d.top_k};
  const SamplingData data = make_sampling_data(c, hash_of(d.name));
  const oracle::SampleRow row = oracle::sample_row(data.config, data.args, 0);
  const auto n = static_cast<size_t>(d.count);
  std::vector<int32_t> tokens(n), indices(n, 0), top_k(n, d.top_k);
  std::vector<int64_t> seeds(n), offsets(n);
  for (size_t i = 0; i < n; ++i) {
    seeds[i] = static_cast<int64_t>(i % 1000), offsets[i] = static_cast<int64_t>(i / 1000);
  }
  const auto number = [&](const TensorView& t) {
    return std::vector<float>(n, t.given() ? *static_cast<const float*>(t.data) : 1.0f);
  };
  const std::vector<float> temperature = number(data.args.temperature);
  const std::vector<float> top_p = number(data.args.top_p);
  std::vector<float> min_p = number(data.args.min_p);
  if (!data.args.min_p.given()) min_p.assign(n, 0.0f);
  SamplingArgs args;
  args.input = data.args.input;
  args.indices = TensorView(indices.data(), DType::i32, {d.count});
  args.seed = TensorView(seeds.data(), DType::i64, {d.count});
  args.offset = TensorView(offsets.data(), DType::i64, {d.count});
  if (d.input == SamplingInput::logits) {
    args.temperature = TensorView(temperature.data(), DType::f32, {d.count});
  }
  args.top_k = TensorView(top_k.data(), DType::i32, {d.count});
  args.top_p = TensorView(top_p.data(), DType::f32, {d.count});
  args.min_p = TensorView(min_p.data(), DType::f32, {d.count});
  args.token = TensorView(tokens.data(), DType::i32, {d.count});
  Sampling(data.config).run(args);
  std::vector<double> seen(row.share.size());
  for (const int32_t token : tokens) ++seen[static_cast<size_t>(token)];
  return chi_square(row.share, seen, d.count);
}

TEST(SamplingDraws, FitTheDistribution) {
  constexpr SamplingInput kProbs = SamplingInput::probs;
  constexpr FilterOrder kJoint = FilterOrder::joint;
  const Draws all[] = {
      {.name = "two", .vocab = 2, .count = 1000000},
      {.name = "plain", .vocab = 100, .count = 1000000},
      {.name = "cold", .vocab = 100, .count = 100000, .temperature = 0.3},
      {.name = "hot", .vocab = 100, .count = 100000, .temperature = 5},
      {.name = "top_k", .vocab = 300, .count = 200000, .top_k = 20},
      {.name = "top_p", .vocab = 300, .count = 200000, .top_p = 0.8},
      {.name = "min_p", .vocab = 300, .count = 100000, .min_p = 0.05},
      {.name = "all",
       .vocab = 300,
       .count = 1000000,
       .temperature = 0.8,
       .top_p = 0.9,
       .min_p = 0.01,
       .top_k = 40},
      {.name = "joint", .vocab = 300, .count = 200000, .top_p = 0.7, .top_k = 60, .order = kJoint},
      {.name = "three", .vocab = 3, .count = 100000, .top_p = 0.8},
      {.name = "warm_min_p", .vocab = 200, .count = 100000, .temperature = 1.5, .min_p = 0.02},
      {.name = "joint_all",
       .vocab = 1000,
       .count = 50000,
       .temperature = 0.7,
       .top_p = 0.95,
       .min_p = 0.001,
       .top_k = 200,
       .order = kJoint},
      {.name = "probs_min_p", .vocab = 50, .count = 100000, .min_p = 0.1, .input = kProbs},
      {.name = "probs", .vocab = 100, .count = 100000, .input = kProbs},
      {.name = "probs_top_p", .vocab = 300, .count = 200000, .top_p = 0.9, .input = kProbs},
      {.name = "large", .vocab = 32000, .count = 30000, .top_k = 500},
      {.name = "largest", .vocab = 262144, .count = 3000, .top_p = 0.5, .top_k = 100},
  };
  for (const Draws& d : all) EXPECT_LT(std::fabs(deviation(d)), 4.5) << d.name;
}

// Every row of five values out of three, with every top-k and some top-p: exactly the tokens that a
// sort keeps, the lower id of equal ones first.
TEST(SamplingFilters, EveryTiePattern) {
  constexpr int kVocab = 5, kRows = 243;  // 3^5
  const float shares[] = {0.0f, 0.3f, 0.5f, 0.9f, 1.0f};
  std::vector<float> logits, masked(kRows * kVocab);
  for (int row = 0; row < kRows; ++row) {
    for (int t = 0, code = row; t < kVocab; ++t, code /= 3) {
      logits.push_back(static_cast<float>(code % 3));
    }
  }
  const Sampling op({.vocab_size = kVocab});
  for (int k = 1; k <= kVocab; ++k) {
    for (const float p : shares) {
      const std::vector<int32_t> top_k(kRows, k);
      const std::vector<float> top_p(kRows, p);
      op.filter({.input = TensorView(logits.data(), DType::f32, {kRows, kVocab}),
                 .top_k = TensorView(top_k.data(), DType::i32, {kRows}),
                 .top_p = TensorView(top_p.data(), DType::f32, {kRows}),
                 .masked = TensorView(masked.data(), DType::f32, {kRows, kVocab})});
      for (int row = 0; row < kRows; ++row) {
        const float* z = logits.data() + row * kVocab;
        std::vector<int> order = {0, 1, 2, 3, 4};
        std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return z[a] > z[b]; });
        double mass = 0, running = 0;
        for (int i = 0; i < k; ++i) mass += std::exp(z[order[static_cast<size_t>(i)]]);
        std::vector<float> wanted(kVocab, -INFINITY);
        for (int i = 0; i < k && (i == 0 || running < p * mass * (1 - 1e-9)); ++i) {
          const int t = order[static_cast<size_t>(i)];
          wanted[static_cast<size_t>(t)] = z[t], running += std::exp(z[t]);
        }
        const float* got = masked.data() + row * kVocab;
        ASSERT_EQ(std::vector<float>(got, got + kVocab), wanted) << row << " k " << k << " p " << p;
      }
    }
  }
}

struct Refused {
  const char* name;
  TensorView SamplingArgs::*field;
  bool required = false;
};

constexpr Refused kArguments[] = {{"input", &SamplingArgs::input, true},
                                  {"seed", &SamplingArgs::seed, true},
                                  {"offset", &SamplingArgs::offset},
                                  {"temperature", &SamplingArgs::temperature},
                                  {"top_k", &SamplingArgs::top_k},
                                  {"top_p", &SamplingArgs::top_p},
                                  {"min_p", &SamplingArgs::min_p},
                                  {"repetition_penalty", &SamplingArgs::repetition_penalty},
                                  {"frequency_penalty", &SamplingArgs::frequency_penalty},
                                  {"prompt_mask", &SamplingArgs::prompt_mask},
                                  {"output_counts", &SamplingArgs::output_counts},
                                  {"bias", &SamplingArgs::bias},
                                  {"allowed", &SamplingArgs::allowed},
                                  {"token", &SamplingArgs::token, true},
                                  {"logprob", &SamplingArgs::logprob},
                                  {"status", &SamplingArgs::status}};

SamplingData full_call() {
  return make_sampling_data({.name = "full",
                             .vocab = 70,
                             .temperature = 1,
                             .top_p = 0.5,
                             .min_p = 0.1,
                             .top_k = 5,
                             .penalties = true,
                             .bias = true,
                             .allowed = true},
                            1);
}

std::string refusal(const SamplingData& data, const SamplingArgs& args, const char* name,
                    const std::string& part) {
  return check_refusal([&] { Sampling(data.config).run(args); }, ErrorKind::invalid_argument, name,
                       part, {&data.token.buffer, &data.logprob.buffer, &data.status.buffer});
}

TEST(SamplingRefuses, WrongTensors) {
  const SamplingData data = full_call();
  for (const Refused& argument : kArguments) {
    for (const TensorFault& fault : tensor_faults()) {
      const std::string what = fault.name;
      if (what == "absent" && !argument.required) continue;
      if (what == "another dtype" && argument.field == &SamplingArgs::status) continue;  // to u8
      SamplingArgs args = data.args;
      fault.apply(args.*argument.field);
      if (what == "another size" && argument.field == &SamplingArgs::input) continue;
      EXPECT_EQ(refusal(data, args, argument.name, fault.part), "")
          << argument.name << " " << fault.name;
    }
  }
}

TEST(SamplingRefuses, WrongParameters) {
  struct Row {
    const char* name;
    TensorView SamplingArgs::*field;
    float value;
  };
  const Row rows[] = {{"temperature", &SamplingArgs::temperature, -1.0f},
                      {"temperature", &SamplingArgs::temperature, NAN},
                      {"temperature", &SamplingArgs::temperature, INFINITY},
                      {"top_p", &SamplingArgs::top_p, -0.1f},
                      {"top_p", &SamplingArgs::top_p, NAN},
                      {"min_p", &SamplingArgs::min_p, 1.5f},
                      {"min_p", &SamplingArgs::min_p, NAN},
                      {"repetition_penalty", &SamplingArgs::repetition_penalty, 0.0f},
                      {"frequency_penalty", &SamplingArgs::frequency_penalty, INFINITY},
                      {"presence_penalty", &SamplingArgs::presence_penalty, NAN}};
  for (const Row& row : rows) {
    const SamplingData data = full_call();
    static_cast<float*>((data.args.*row.field).data)[2] = row.value;
    EXPECT_EQ(refusal(data, data.args, row.name, "[2] out of it"), "") << row.name;
  }
}

TEST(SamplingRefuses, WhatDoesNotGoTogether) {
  SamplingData data = full_call();
  SamplingArgs args = data.args;
  args.output_counts = {};
  EXPECT_EQ(refusal(data, args, "frequency_penalty", "output_counts beside it"), "");
  data.config.input = SamplingInput::probs;
  EXPECT_EQ(refusal(data, data.args, "temperature", "nothing beside probabilities"), "");
  args = data.args;
  args.token = TensorView(args.seed.data, DType::i32, {4});
  args.temperature = args.repetition_penalty = args.frequency_penalty = args.presence_penalty = {};
  args.prompt_mask = args.output_counts = args.bias = args.allowed = {};
  EXPECT_EQ(refusal(data, args, "token", "seed"), "");
  FilterArgs filter = data.filter;
  filter.temperature = {}, filter.masked = filter.input;
  EXPECT_EQ(check_refusal([&] { Sampling(data.config).filter(filter); },
                          ErrorKind::invalid_argument, "probs", "exactly one", {}),
            "");
}

TEST(SamplingRefuses, WrongConfigs) {
  const SamplingConfig right{.vocab_size = 10};
  EXPECT_NO_THROW(Sampling{right});
  for (const int vocab : {0, -1, (1 << 20) + 1}) {
    SamplingConfig c = right;
    c.vocab_size = vocab;
    EXPECT_EQ(
        check_refusal([&] { Sampling{c}; }, ErrorKind::invalid_argument, "vocab_size", "", {}), "");
  }
  SamplingConfig c = right;
  c.dtype = DType::i32;
  EXPECT_EQ(check_refusal([&] { Sampling{c}; }, ErrorKind::invalid_argument, "dtype", "f32", {}),
            "");
}

}  // namespace
}  // namespace weft::cases
