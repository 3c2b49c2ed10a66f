// SPDX-License-Identifier: Apache-2.0
// See logprobs_case.h.
#include "tests/cases/logprobs_case.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/oracle/numbers.h"
#include "tests/oracle/sampling.h"

namespace weft::cases {
namespace {

// Sums of masses are 3e-7 off, a logarithm as much, and a product rounds three times.
bool close(double got, double exact) {
  if (std::isinf(exact)) return got == exact;
  return std::fabs(got - exact) <= 4e-6 + 4e-7 * std::fabs(exact);
}

struct Sample {
  const LogprobsData& data;
  int64_t i;
  oracle::SampleRow row;
  std::vector<double> logprob;

  Sample(const LogprobsData& d, int64_t sample) : data(d), i(sample) {
    SamplingArgs args = data.rows.args;
    args.top_k = args.top_p = args.min_p = args.temperature = {};
    row = oracle::sample_row(data.rows.config, args, i);
    if (row.status != 0) return;
    double t = data.args.temperature.given() ? oracle::at(data.args.temperature, {i}) : 1;
    if (t == 0) t = 1;
    const double top = *std::max_element(row.value.begin(), row.value.end());
    double sum = 0;
    for (double z : row.value) sum += std::exp((z - top) / t);
    for (double z : row.value) logprob.push_back((z - top) / t - std::log(sum));
  }

  std::string check() const {
    if (static_cast<const uint8_t*>(data.args.status.data)[i] != row.status) return "status";
    std::vector<size_t> order(row.value.size());
    std::iota(order.begin(), order.end(), size_t{0});
    if (row.status == 0) {
      const auto before = [&](size_t a, size_t b) {
        return row.value[a] > row.value[b] || (row.value[a] == row.value[b] && a < b);
      };
      const size_t most = std::min(order.size(), static_cast<size_t>(data.config.num));
      std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(most),
                        order.end(), before);
    }
    for (int64_t j = 0; j < data.config.num; ++j) {
      const std::string place = "place " + std::to_string(j);
      const auto token =
          *reinterpret_cast<const int32_t*>(oracle::address(data.args.top_tokens, {i, j}));
      const double got = oracle::at(data.args.top_logprobs, {i, j});
      if (row.status != 0) {
        if (token != -1 || !std::isnan(got)) return place + " beside a status";
        continue;
      }
      const bool there = j < static_cast<int64_t>(order.size()) &&
                         !std::isinf(row.value[order[static_cast<size_t>(j)]]);
      const int32_t wanted = there ? static_cast<int32_t>(order[static_cast<size_t>(j)]) : -1;
      if (token != wanted) {
        return place + ": expected token " + std::to_string(wanted) + ", got " +
               std::to_string(token);
      }
      const double exact = there ? logprob[static_cast<size_t>(wanted)] : -INFINITY;
      if (!close(got, exact)) {
        return place + ": expected " + std::to_string(exact) + ", got " + std::to_string(got);
      }
    }
    return check_token();
  }

  std::string check_token() const {
    if (!data.args.token.given()) return "";
    const double got = oracle::at(data.args.token_logprob, {i});
    if (row.status != 0) return std::isnan(got) ? "" : "a given token beside a status";
    const double exact = logprob[static_cast<size_t>(oracle::int_at(data.args.token, i))];
    return close(got, exact)
               ? ""
               : "given token: expected " + std::to_string(exact) + ", got " + std::to_string(got);
  }
};

}  // namespace

LogprobsData make_logprobs_data(const SamplingCase& c, int num, uint64_t seed) {
  LogprobsData data;
  data.rows = make_sampling_data(c, seed);
  data.config = {.dtype = c.dtype, .vocab_size = c.vocab, .num = num};
  const SamplingArgs& from = data.rows.args;
  LogprobsArgs& a = data.args;
  a.input = from.input, a.indices = from.indices, a.temperature = from.temperature;
  a.repetition_penalty = from.repetition_penalty, a.frequency_penalty = from.frequency_penalty;
  a.presence_penalty = from.presence_penalty, a.prompt_mask = from.prompt_mask;
  a.output_counts = from.output_counts, a.bias = from.bias, a.allowed = from.allowed;
  const int64_t n = c.n;
  data.outputs.reserve(4);
  const auto output = [&](DType dtype, std::vector<int64_t> shape, int64_t pad) {
    return data.outputs.emplace_back(dtype, shape, pad).view;
  };
  a.top_tokens = output(DType::i32, {n, num}, c.pad);
  a.top_logprobs = output(DType::f32, {n, num}, c.pad);
  a.status = output(DType::u8, {n}, 0);
  if (seed % 4 != 0) {
    data.token = OwnedTensor(DType::i32, {n});
    a.token = data.token.view;
    a.token_logprob = output(DType::f32, {n}, 0);
    Random random(seed);
    for (int64_t i = 0; i < n; ++i) {
      static_cast<int32_t*>(a.token.data)[i] = static_cast<int32_t>(random.integer(0, c.vocab - 1));
    }
  }
  return data;
}

std::string compare_logprobs(const LogprobsData& data) {
  for (int64_t i = 0; i < data.args.top_tokens.shape[0]; ++i) {
    const std::string wrong = Sample(data, i).check();
    if (!wrong.empty()) return "row " + std::to_string(i) + " " + wrong;
  }
  return find_stray_write(data.outputs);
}

}  // namespace weft::cases
