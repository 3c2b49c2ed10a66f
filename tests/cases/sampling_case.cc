// SPDX-License-Identifier: Apache-2.0
// See sampling_case.h.
#include "tests/cases/sampling_case.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/oracle/numbers.h"
#include "tests/oracle/sampling.h"

namespace weft::cases {
namespace {

constexpr SamplingInput kProbs = SamplingInput::probs;
constexpr FilterOrder kJoint = FilterOrder::joint;

const std::vector<SamplingCase> kCases = {
    {.name = "categorical"},
    {.name = "temperature", .temperature = 0.7},
    {.name = "hot", .temperature = 30},
    {.name = "cold", .temperature = 0.01},
    {.name = "greedy", .temperature = 0},
    {.name = "top_1", .top_k = 1},
    {.name = "top_k", .top_k = 50},
    {.name = "top_k_300", .top_k = 300},
    {.name = "top_k_beyond_vocab", .top_k = 5000},
    {.name = "top_p", .top_p = 0.9},
    {.name = "top_p_0", .top_p = 0},
    {.name = "top_p_1", .top_p = 1},
    {.name = "top_p_tiny", .top_p = 1e-12},
    {.name = "min_p", .min_p = 0.1},
    {.name = "min_p_1", .min_p = 1},
    {.name = "top_k_top_p", .temperature = 0.8, .top_p = 0.8, .top_k = 40},
    {.name = "top_k_top_p_joint", .order = kJoint, .top_p = 0.8, .top_k = 40},
    {.name = "joint_top_p_cuts", .order = kJoint, .temperature = 0.3, .top_p = 0.3, .top_k = 60},
    {.name = "all_filters", .temperature = 1.3, .top_p = 0.95, .min_p = 0.02, .top_k = 100},
    {.name = "all_filters_joint",
     .order = kJoint,
     .temperature = 1.3,
     .top_p = 0.95,
     .min_p = 0.02,
     .top_k = 100},
    {.name = "f16", .dtype = DType::f16, .temperature = 0.9, .top_p = 0.9, .top_k = 64},
    {.name = "bf16", .dtype = DType::bf16, .temperature = 0.9, .top_p = 0.9, .top_k = 64},
    {.name = "bf16_top_p", .dtype = DType::bf16, .top_p = 0.7, .pad = 1},
    {.name = "probs", .input = kProbs},
    {.name = "probs_top_k", .input = kProbs, .top_k = 20},
    {.name = "probs_top_p", .input = kProbs, .top_p = 0.6},
    {.name = "probs_min_p", .input = kProbs, .min_p = 0.2},
    {.name = "probs_all", .input = kProbs, .top_p = 0.9, .min_p = 0.01, .top_k = 200},
    {.name = "probs_bf16", .dtype = DType::bf16, .input = kProbs, .top_p = 0.9},
    {.name = "penalties", .temperature = 0.9, .top_p = 0.9, .penalties = true},
    {.name = "bias", .top_k = 30, .bias = true},
    {.name = "allowed", .top_p = 0.9, .allowed = true},
    {.name = "everything",
     .dtype = DType::bf16,
     .temperature = 0.6,
     .top_p = 0.95,
     .min_p = 0.001,
     .top_k = 80,
     .penalties = true,
     .bias = true,
     .allowed = true,
     .indices = true},
    {.name = "indices", .n = 7, .top_p = 0.8, .indices = true},
    {.name = "without_offset", .offset = false},
    {.name = "vocab_1", .vocab = 1, .top_p = 0.5, .top_k = 5},
    {.name = "vocab_2", .vocab = 2, .n = 9, .top_p = 0.9},
    {.name = "vocab_7", .vocab = 7, .n = 9, .top_p = 0.9, .top_k = 3, .pad = 3},
    {.name = "vocab_32001", .vocab = 32001, .n = 2, .top_p = 0.9, .top_k = 50},
    {.name = "vocab_32001_top_p", .vocab = 32001, .n = 2, .top_p = 0.9},
    {.name = "ties_top_k", .spread = LogitSpread::few_values, .top_k = 50},
    {.name = "ties_top_p", .spread = LogitSpread::few_values, .top_p = 0.9},
    {.name = "ties_both", .spread = LogitSpread::few_values, .top_p = 0.7, .top_k = 400},
    {.name = "ties_joint",
     .order = kJoint,
     .spread = LogitSpread::few_values,
     .top_p = 0.4,
     .top_k = 400},
    {.name = "all_equal_top_k", .spread = LogitSpread::all_equal, .top_k = 10},
    {.name = "all_equal_top_p", .vocab = 5000, .spread = LogitSpread::all_equal, .top_p = 0.5},
    {.name = "ties_top_p_bf16",
     .vocab = 4000,
     .dtype = DType::bf16,
     .spread = LogitSpread::few_values,
     .top_p = 0.6},
    {.name = "all_equal_greedy", .spread = LogitSpread::all_equal, .temperature = 0},
    {.name = "all_equal_categorical", .vocab = 5000, .spread = LogitSpread::all_equal},
    {.name = "hot_top_p", .vocab = 5000, .temperature = 1000, .top_p = 0.9},
    {.name = "cold_top_p", .vocab = 5000, .temperature = 1e-6, .top_p = 0.9},
    {.name = "top_p_min_p", .vocab = 5000, .top_p = 0.95, .min_p = 0.01},
    {.name = "min_p_ends_top_p", .vocab = 5000, .order = kJoint, .top_p = 0.999, .min_p = 0.3},
    {.name = "probs_min_p_ends_top_p",
     .vocab = 3000,
     .input = kProbs,
     .order = kJoint,
     .top_p = 0.999,
     .min_p = 0.3},
    {.name = "peaked_half", .vocab = 5000, .spread = LogitSpread::peaked, .top_p = 0.5},
    {.name = "peaked_hot",
     .vocab = 5000,
     .spread = LogitSpread::peaked,
     .temperature = 3,
     .top_p = 0.9},
    {.name = "wide_top_p", .vocab = 3000, .spread = LogitSpread::wide, .top_p = 0.9},
    {.name = "masked_top_p", .vocab = 5000, .spread = LogitSpread::mostly_masked, .top_p = 0.9},
    {.name = "sorted_top_p", .vocab = 5000, .spread = LogitSpread::sorted, .top_p = 0.9},
    {.name = "denormal_top_p", .spread = LogitSpread::denormal, .top_p = 0.5},
    {.name = "peaked", .spread = LogitSpread::peaked, .top_p = 0.9999},
    {.name = "peaked_top_k", .spread = LogitSpread::peaked, .top_k = 100},
    {.name = "flat", .vocab = 20000, .spread = LogitSpread::flat, .top_p = 0.5},
    {.name = "flat_top_k", .vocab = 20000, .spread = LogitSpread::flat, .top_k = 5000},
    {.name = "wide", .spread = LogitSpread::wide, .top_p = 0.9, .top_k = 500},
    {.name = "wide_hot", .spread = LogitSpread::wide, .temperature = 1e9, .top_p = 0.9},
    {.name = "denormal", .spread = LogitSpread::denormal, .top_p = 0.5, .top_k = 700},
    {.name = "denormal_probs", .input = kProbs, .spread = LogitSpread::denormal, .top_p = 0.5},
    {.name = "mostly_masked", .spread = LogitSpread::mostly_masked, .top_p = 0.9, .top_k = 60},
    {.name = "sorted", .vocab = 5000, .spread = LogitSpread::sorted, .top_p = 0.9, .top_k = 100},
};

double value_of(LogitSpread spread, Random& random, int t, int vocab) {
  switch (spread) {
    case LogitSpread::normal:
      return 3 * random.normal();
    case LogitSpread::peaked:
      return t == vocab / 3 ? 25 : random.normal();
    case LogitSpread::flat:
      return 0.001 * random.normal();
    case LogitSpread::few_values:
      return static_cast<double>(random.integer(-3, 3)) * 0.5;
    case LogitSpread::all_equal:
      return 1.25;
    case LogitSpread::wide:
      return random.normal() * std::exp(20 * random.normal());
    case LogitSpread::denormal:
      return std::fabs(random.normal()) * 1e-40;
    case LogitSpread::mostly_masked:
      return random.chance(0.9) ? -std::numeric_limits<double>::infinity() : random.normal();
    case LogitSpread::sorted:
      return 10.0 - 20.0 * t / vocab;
  }
  return 0;
}

void fill_rows(const SamplingCase& c, const TensorView& input, Random& random) {
  for (int64_t r = 0; r < input.shape[0]; ++r) {
    for (int t = 0; t < c.vocab; ++t) {
      double z = value_of(c.spread, random, t, c.vocab);
      if (c.input == kProbs && c.spread != LogitSpread::denormal) z = std::exp(z) * 1e-3;
      oracle::encode(oracle::address(input, {r, t}), input.dtype, 0, z);
    }
  }
}

// `scale` a little different for each row.
TensorView parameter(SamplingData& data, int64_t n, double value, bool bounded) {
  if (value < 0) return {};
  data.inputs.emplace_back(DType::f32, std::vector<int64_t>{n});
  const TensorView& view = data.inputs.back().view;
  for (int64_t i = 0; i < n; ++i) {
    const double x = value * (1 + 0.03 * static_cast<double>(i));
    oracle::encode(view.data, DType::f32, i, bounded ? std::min(x, 1.0) : std::min(x, 1e9));
  }
  return view;
}

template <class T, class F>
TensorView integers(SamplingData& data, DType dtype, std::vector<int64_t> shape, F&& value) {
  data.inputs.emplace_back(dtype, shape);
  const TensorView& view = data.inputs.back().view;
  for (int64_t i = 0; i < view.numel(); ++i)
    static_cast<T*>(view.data)[i] = static_cast<T>(value(i));
  return view;
}

void add_adjustments(const SamplingCase& c, int64_t rows, int64_t n, SamplingData& data,
                     Random& random) {
  SamplingArgs& args = data.args;
  const int64_t words = (c.vocab + 31) / 32;
  const auto sparse_bits = [&](int64_t) { return random.next() & random.next() & random.next(); };
  if (c.penalties) {
    args.repetition_penalty = parameter(data, n, 1.2, false);
    args.frequency_penalty = parameter(data, n, 0.25, false);
    args.presence_penalty = parameter(data, n, 0.5, false);
    args.prompt_mask = integers<uint32_t>(data, DType::i32, {rows, words}, sparse_bits);
    args.output_counts = integers<int32_t>(data, DType::i32, {rows, c.vocab}, [&](int64_t) {
      return random.chance(0.9) ? 0 : random.integer(1, 5);
    });
  }
  if (c.bias) {
    data.inputs.emplace_back(DType::f32, std::vector<int64_t>{rows, c.vocab}, c.pad);
    fill_normal(data.inputs.back().view, random);
    args.bias = data.inputs.back().view;
  }
  if (c.allowed) {
    args.allowed = integers<uint32_t>(data, DType::i32, {rows, words},
                                      [&](int64_t) { return random.next() | 1; });
  }
}

// Whether token, logprob and status of sample i fit the row as it is with this nudge.
std::string check_sample(const SamplingData& data, int64_t i, double nudge) {
  const SamplingArgs& args = data.args;
  const oracle::SampleRow row = oracle::sample_row(data.config, args, i, nudge);
  const int status = static_cast<const uint8_t*>(args.status.data)[i];
  if (status != row.status) return "status " + std::to_string(status);
  const auto token = static_cast<int>(oracle::int_at(args.token, i));
  const double logprob = oracle::at(args.logprob, {i});
  if (status != 0) {
    return token == 0 && std::isnan(logprob) ? "" : "token " + std::to_string(token);
  }
  if (token < 0 || token >= data.config.vocab_size) return "token " + std::to_string(token);
  const uint64_t offset =
      args.offset.given() ? static_cast<uint64_t>(oracle::int_at(args.offset, i)) : 0;
  const double u = oracle::uniform(static_cast<uint64_t>(oracle::int_at(args.seed, i)), offset);
  const std::string wrong = oracle::check_draw(row, u, token);
  if (!wrong.empty()) return wrong;
  const double exact = std::log(row.share[static_cast<size_t>(token)]);
  if (std::fabs(logprob - exact) <= 3e-6 * (1 + std::fabs(exact))) return "";
  return "logprob " + std::to_string(logprob) + " for " + std::to_string(exact);
}

constexpr double kNudges[] = {0, 2e-6, -2e-6};

// The rows' greatest share bounds the error of each: f32 arithmetic on the way, and one rounding.
std::string check_row(const SamplingData& data, int64_t i, double nudge) {
  const FilterArgs& args = data.filter;
  const oracle::SampleRow row = oracle::sample_row(data.config, args, i, nudge);
  const bool masks = args.masked.given();
  const TensorView& out = masks ? args.masked : args.probs;
  for (int64_t t = 0; t < data.config.vocab_size; ++t) {
    const double share = row.share[static_cast<size_t>(t)];
    double exact = share;
    if (masks) {
      exact = row.kept[static_cast<size_t>(t)] != 0 ? row.value[static_cast<size_t>(t)]
                                                    : -std::numeric_limits<double>::infinity();
    }
    const double error = masks ? 0 : 2e-6 * share + 1e-17;
    const std::string wrong =
        compare_rounded(oracle::address(out, {i, t}), out.dtype, exact, error);
    if (!wrong.empty()) return "token " + std::to_string(t) + " " + wrong;
  }
  return "";
}

template <class Check>
std::string compare_rows(int64_t n, Check&& check) {
  for (int64_t i = 0; i < n; ++i) {
    std::string wrong;
    for (const double nudge : kNudges) {
      wrong = check(i, nudge);
      if (wrong.empty()) break;
    }
    if (!wrong.empty()) return "row " + std::to_string(i) + " " + wrong;
  }
  return "";
}

}  // namespace

const std::vector<SamplingCase>& sampling_cases() { return kCases; }

SamplingCase random_sampling_case(Random& random, int max_vocab) {
  constexpr DType kTypes[] = {DType::f32, DType::f16, DType::bf16};
  SamplingCase c{.name = "random"};
  c.vocab = static_cast<int>(random.integer(1, random.chance(0.5) ? 64 : max_vocab));
  c.n = static_cast<int>(random.integer(0, 5));
  c.dtype = kTypes[random.integer(0, 2)];
  c.input = random.chance(0.3) ? kProbs : SamplingInput::logits;
  c.order = random.chance(0.3) ? kJoint : FilterOrder::top_k_first;
  if (c.input == SamplingInput::logits) {
    c.spread = static_cast<LogitSpread>(random.integer(0, 8));
    if (c.spread == LogitSpread::wide) c.dtype = DType::f32;
    if (random.chance(0.5)) c.temperature = random.chance(0.1) ? 0 : 2 * random.uniform();
    c.penalties = random.chance(0.3);
    c.bias = random.chance(0.3);
    c.allowed = random.chance(0.3);
  }
  if (random.chance(0.5)) c.top_k = static_cast<int>(random.integer(1, c.vocab + 5));
  if (random.chance(0.5)) c.top_p = random.uniform();
  if (random.chance(0.3)) c.min_p = random.uniform() * random.uniform();
  c.indices = random.chance(0.3);
  c.pad = random.integer(0, 3);
  return c;
}

SamplingData make_sampling_data(const SamplingCase& c, uint64_t seed) {
  SamplingData data;
  Random random(seed);
  data.config = {.dtype = c.dtype, .vocab_size = c.vocab, .input = c.input, .order = c.order};
  const int64_t n = c.n, rows = c.indices ? 3 : c.n;
  data.inputs.reserve(20);
  data.inputs.emplace_back(c.dtype, std::vector<int64_t>{rows, c.vocab}, c.pad);
  SamplingArgs& args = data.args;
  args.input = data.inputs.back().view;
  fill_rows(c, args.input, random);
  const auto any = [&](int64_t) { return random.next(); };
  args.seed = integers<uint64_t>(data, DType::i64, {n}, any);
  if (c.offset) args.offset = integers<uint64_t>(data, DType::i64, {n}, any);
  if (c.indices) {
    args.indices = integers<int32_t>(data, DType::i32, {n}, [](int64_t i) { return (i * 2) % 3; });
  }
  args.temperature = parameter(data, n, c.temperature, false);
  args.top_p = parameter(data, n, c.top_p, c.top_p < 1);
  args.min_p = parameter(data, n, c.min_p, true);
  if (c.top_k >= 0) {
    args.top_k = integers<int32_t>(data, DType::i32, {n},
                                   [&](int64_t i) { return c.top_k + (c.top_k > 1 ? i : 0); });
  }
  if (!c.indices) {
    data.filter = {.input = args.input,
                   .temperature = args.temperature,
                   .top_k = args.top_k,
                   .top_p = args.top_p,
                   .min_p = args.min_p};
  }
  add_adjustments(c, rows, n, data, random);
  data.token = OwnedTensor(DType::i32, {n});
  data.logprob = OwnedTensor(DType::f32, {n});
  data.status = OwnedTensor(DType::u8, {n});
  args.token = data.token.view, args.logprob = data.logprob.view, args.status = data.status.view;
  data.probs = OwnedTensor(DType::f32, {n, c.vocab}, c.pad);
  data.filter.probs = data.probs.view;
  return data;
}

void scramble(SamplingData& data, Random& random) {
  data.config.checked = false;
  const SamplingArgs& args = data.args;
  for (const TensorView& t :
       {args.temperature, args.top_k, args.top_p, args.min_p, args.repetition_penalty,
        args.frequency_penalty, args.presence_penalty, args.bias, args.input}) {
    if (!t.given()) continue;
    const double share = t.ndim == 1 ? 0.2 : 0.002;
    for_each_element(t, [&](char* at, int64_t) {
      const uint64_t bits = random.next();
      if (random.chance(share))
        std::copy_n(reinterpret_cast<const char*>(&bits), size_of(t.dtype), at);
    });
  }
}

std::string compare_samples(const SamplingData& data) {
  return compare_rows(data.args.token.shape[0],
                      [&](int64_t i, double nudge) { return check_sample(data, i, nudge); });
}

std::string compare_filter(const SamplingData& data) {
  return compare_rows(data.filter.input.shape[0],
                      [&](int64_t i, double nudge) { return check_row(data, i, nudge); });
}

}  // namespace weft::cases
