// SPDX-License-Identifier: Apache-2.0
// See sampling.h.
#include "tests/oracle/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tests/oracle/numbers.h"

namespace weft::oracle {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

double number_or(const TensorView& tensor, int64_t i, double otherwise) {
  return tensor.given() ? at(tensor, {i}) : otherwise;
}

bool bit(const TensorView& words, int64_t row, int64_t t) {
  const auto* word = reinterpret_cast<const uint32_t*>(address(words, {row, t / 32}));
  return (*word >> (t % 32) & 1) != 0;
}

double f32(double x) { return rounded(DType::f32, x); }

// Every step is rounded to f32.
double adjusted(const SamplingArgs& args, int64_t i, int64_t row, int64_t t, double z) {
  int64_t count = 0;
  if (args.output_counts.given()) {
    count = *reinterpret_cast<const int32_t*>(address(args.output_counts, {row, t}));
  }
  if (count > 0 || (args.prompt_mask.given() && bit(args.prompt_mask, row, t))) {
    const double penalty = number_or(args.repetition_penalty, i, 1);
    z = f32(z > 0 ? z / penalty : z * penalty);
  }
  if (count > 0) {
    z = f32(z - f32(number_or(args.frequency_penalty, i, 0) * static_cast<double>(count)));
    z = f32(z - number_or(args.presence_penalty, i, 0));
  }
  if (args.bias.given()) z = f32(z + at(args.bias, {row, t}));
  if (args.allowed.given() && !bit(args.allowed, row, t)) z = -kInf;
  return z;
}

struct Filters {
  double temperature, top_p, min_p;
  int64_t top_k;
  bool joint, probs;
};

template <class Args>
Filters filters_of(const SamplingConfig& config, const Args& args, int64_t i) {
  Filters f{number_or(args.temperature, i, 1),  number_or(args.top_p, i, 1),
            number_or(args.min_p, i, 0),        config.vocab_size,
            config.order == FilterOrder::joint, config.input == SamplingInput::probs};
  if (args.top_k.given() && int_at(args.top_k, i) > 0) {
    f.top_k = std::min<int64_t>(f.top_k, int_at(args.top_k, i));
  }
  return f;
}

// Fills share and at_cut from value.
void keep(const Filters& f, double nudge, SampleRow& row) {
  const size_t n = row.value.size();
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return row.value[a] > row.value[b]; });
  const double top = row.value[order[0]];
  const auto weight = [&](size_t t) {
    if (f.probs) return row.value[t];
    return f.temperature == 0 ? 1.0 : std::exp((row.value[t] - top) / f.temperature);
  };
  size_t kept = n;
  const auto usable = [&](size_t t) { return f.probs || row.value[t] > -kInf; };
  while (kept > 0 && !usable(order[kept - 1])) --kept;
  double all = 0;
  for (size_t t : order) all += usable(t) ? weight(t) : 0;
  if (f.min_p > 0) {
    const double most = f.probs ? top : 1.0;
    while (kept > 1 && weight(order[kept - 1]) < f.min_p * most * (1 + nudge)) --kept;
  }
  bool cut = static_cast<size_t>(f.top_k) < n && static_cast<size_t>(f.top_k) <= kept;
  kept = std::min(kept, static_cast<size_t>(f.top_k));
  if (f.temperature == 0) kept = 1;
  if (f.top_p < 1 && f.temperature != 0) {
    double mass = 0;
    for (size_t i = 0; i < kept; ++i) mass += weight(order[i]);
    const double wanted = f.top_p * (f.joint ? all : mass) * (1 + nudge);
    double running = 0;
    size_t few = 0;
    while (few < kept && (few == 0 || running < wanted)) running += weight(order[few++]);
    kept = few;
    cut = cut || running >= wanted;
  }
  double sum = 0;
  for (size_t i = 0; i < kept; ++i) sum += weight(order[i]);
  for (size_t i = 0; i < kept; ++i) {
    row.share[order[i]] = weight(order[i]) / sum;
    row.kept[order[i]] = 1;
    row.at_cut[order[i]] = cut && row.value[order[i]] == row.value[order[kept - 1]];
  }
}

template <class Args, class Value>
SampleRow make_row(const SamplingConfig& config, const Args& args, int64_t i, double nudge,
                   Value&& value) {
  const auto n = static_cast<size_t>(config.vocab_size);
  SampleRow row{0, std::vector<double>(n), std::vector<double>(n), std::vector<char>(n),
                std::vector<char>(n)};
  const Filters f = filters_of(config, args, i);
  double top = -kInf;
  bool nan = false;
  for (size_t t = 0; t < n; ++t) {
    double z = value(static_cast<int64_t>(t));
    if (f.probs && z < 0) z = 0;
    nan = nan || std::isnan(z);
    if (z > 3.402823466e38) z = std::numeric_limits<float>::max();
    row.value[t] = z;
    top = std::max(top, z);
  }
  if (nan) {
    row.status = 1;
  } else if (top == -kInf || (f.probs && top <= 0)) {
    row.status = 2;
  } else {
    keep(f, nudge, row);
  }
  return row;
}

struct Words {
  uint32_t x[4];
};

Words round_of(Words c, uint32_t k0, uint32_t k1) {
  const uint64_t a = 0xD2511F53ull * c.x[0], b = 0xCD9E8D57ull * c.x[2];
  return {{static_cast<uint32_t>(b >> 32) ^ c.x[1] ^ k0, static_cast<uint32_t>(b),
           static_cast<uint32_t>(a >> 32) ^ c.x[3] ^ k1, static_cast<uint32_t>(a)}};
}

}  // namespace

SampleRow sample_row(const SamplingConfig& config, const SamplingArgs& args, int64_t i,
                     double nudge) {
  const int64_t from = args.indices.given() ? int_at(args.indices, i) : i;
  return make_row(config, args, i, nudge, [&](int64_t t) {
    return adjusted(args, i, from, t, at(args.input, {from, t}));
  });
}

SampleRow sample_row(const SamplingConfig& config, const FilterArgs& args, int64_t i,
                     double nudge) {
  return make_row(config, args, i, nudge, [&](int64_t t) { return at(args.input, {i, t}); });
}

double uniform(uint64_t seed, uint64_t offset) {
  Words c{{static_cast<uint32_t>(offset), static_cast<uint32_t>(offset >> 32), 0, 0}};
  for (uint32_t r = 0; r < 10; ++r) {
    c = round_of(c, static_cast<uint32_t>(seed) + r * 0x9E3779B9u,
                 static_cast<uint32_t>(seed >> 32) + r * 0xBB67AE85u);
  }
  return c.x[1] * 0x1p-32 + c.x[0] * 0x1p-64;
}

std::string check_draw(const SampleRow& row, double u, int token) {
  constexpr double kSlack = 4e-6;  // of a running sum, from roundings of exp in f32
  double before = 0;
  const size_t n = row.share.size();
  for (char at_cut = 0; at_cut <= 1; ++at_cut) {
    for (size_t t = 0; t < n; ++t) {
      if (row.share[t] == 0 || row.at_cut[t] != at_cut) continue;
      if (static_cast<int>(t) == token && u >= before - kSlack &&
          u <= before + row.share[t] + kSlack) {
        return "";
      }
      before += row.share[t];
    }
  }
  return "token " + std::to_string(token) + " for u = " + std::to_string(u);
}

}  // namespace weft::oracle
