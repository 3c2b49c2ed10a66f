// SPDX-License-Identifier: Apache-2.0
// See induction_model.h.
#include "tools/weft/induction_model.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "tools/weft/elements.h"

namespace weft::cli {
namespace {

constexpr std::string_view kAlphabet = "\n abcdefghijklmnopqrstuvwxyz.,?:";
static_assert(kAlphabet.size() == kNumSymbols);

constexpr int kNumKvHeads = 2;
constexpr int kGroup = kContext / kNumKvHeads;
constexpr int kRotary = 64;  // leading elements of a head: positions; the rest: characters
constexpr int kHeadDim = kRotary + kContext * kNumSymbols;
constexpr float kTheta = 10000.0f;

// The residual stream: parts of one vector a token.
constexpr int kToken = 0;                      // one-hot: this character
constexpr int kBefore = kToken + kNumSymbols;  // one-hot each: 1..kContext characters back
constexpr int kAnswer = kBefore + kContext * kNumSymbols;  // bits of the next character
constexpr int kOne = kAnswer + kContext;                   // always 1
constexpr int kStarted = kOne + 1;                         // 1 from position kContext on
constexpr int kWidth = kStarted + 1;

int before(int distance) { return kBefore + (distance - 1) * kNumSymbols; }

/// Bit b of a symbol's code: five bits of its number and their parity, so that two codes differ in
/// at least two bits.
int code_bit(int symbol, int b) {
  if (b < 5) return symbol >> b & 1;
  return __builtin_parity(static_cast<unsigned>(symbol));
}

double frequency(int pair) { return std::pow(kTheta, -2.0 * pair / kRotary); }

/// How much lower any other distance scores than the wanted one, at least, at sm_scale 1.
double least_gap() {
  constexpr int kPairs = kRotary / 2;  // the score at distance 0: every pair's cosine is 1
  double gap = std::numeric_limits<double>::infinity();
  for (int offset = 1; offset <= kMaxInductionTokens; ++offset) {
    double score = 0;
    for (int pair = 0; pair < kPairs; ++pair) score += std::cos(offset * frequency(pair));
    gap = std::min(gap, kPairs - score);
  }
  return gap;
}

}  // namespace

engine::TokenId symbol_of(char c) {
  const size_t at = kAlphabet.find(c);
  if (at == std::string_view::npos) {
    throw std::invalid_argument("text: expected newline, space, a to z and . , ? : only, got '" +
                                std::string(1, c) + "'");
  }
  return static_cast<engine::TokenId>(at);
}

char char_of(engine::TokenId symbol) { return kAlphabet.at(static_cast<size_t>(symbol)); }

std::vector<engine::TokenId> symbols_of(std::string_view text) {
  std::vector<engine::TokenId> symbols;
  for (char c : text) symbols.push_back(symbol_of(c));
  return symbols;
}

std::string continuation(std::string text, int max_new, char stop) {
  std::string added;
  while (static_cast<int>(added.size()) < max_new) {
    size_t best = 0;
    int best_score = -1;
    for (size_t j = 0; j < text.size(); ++j) {
      int score = 0;
      for (int back = 1; back <= kContext && j >= kContext; ++back) {
        if (text[j - back] == text[text.size() - back]) score += 1 << (kContext - back);
      }
      if (score >= best_score) best = j;
      best_score = std::max(score, best_score);
    }
    added += text[best];
    text += text[best];
    if (added.back() == stop) break;
  }
  return added;
}

AttentionConfig InductionModel::attention_config(DType dtype, DType dtype_kv, int page_size) {
  AttentionConfig config;
  config.dtype_q = dtype;
  config.dtype_kv = dtype_kv;
  config.num_qo_heads = kContext;
  config.num_kv_heads = kNumKvHeads;
  config.head_dim_qk = kHeadDim;
  config.page_size = page_size;
  config.rope.mode = RopeMode::neox;
  config.rope.dim = kRotary;
  config.rope.theta = kTheta;
  return config;
}

InductionModel::InductionModel(const Sampler* sampler)
    : sampler_(sampler), width_(kWidth), layers_(kNumLayers) {
  build_look_back();
  build_match();
}

// Rotated by its position i, the query (cos dw, -sin dw) of frequency w meets the key (1, 0),
// rotated by j, at cos((i - j - d) w): all frequencies agree only d positions back.
void InductionModel::build_look_back() {
  Layer& layer = layers_[0];
  for (int pair = 0; pair < kRotary / 2; ++pair) {
    for (int head = 0; head < kContext; ++head) {
      const double angle = (head + 1) * frequency(pair);
      layer.q.set(head * kHeadDim + pair, kOne, static_cast<float>(std::cos(angle)));
      layer.q.set(head * kHeadDim + pair + kRotary / 2, kOne, static_cast<float>(-std::sin(angle)));
    }
    for (int head = 0; head < kNumKvHeads; ++head) layer.k.set(head * kHeadDim + pair, kOne, 1);
  }
  // Each KV head keeps its characters in a place of its own, so that a head that reads the other's
  // finds nothing.
  for (int s = 0; s < kNumSymbols; ++s) {
    for (int head = 0; head < kNumKvHeads; ++head) {
      layer.v.set(head * kHeadDim + head * kNumSymbols + s, kToken + s, 1);
    }
    for (int head = 0; head < kContext; ++head) {
      layer.o.set(before(head + 1) + s, head * kHeadDim + head / kGroup * kNumSymbols + s, 1);
    }
  }
  // e^-24 is nothing beside one, and bf16 products of this size are off by less than 2.
  layer.sm_scale = static_cast<float>(24 / least_gap());
}

void InductionModel::build_match() {
  Layer& layer = layers_[1];
  for (int back = 1; back <= kContext; ++back) {
    const float weight = static_cast<float>(1 << (kContext - back));
    for (int s = 0; s < kNumSymbols; ++s) {
      const int at = kRotary + (back - 1) * kNumSymbols + s;
      const int own = back == 1 ? kToken + s : before(back - 1) + s;
      for (int head = 0; head < kContext; ++head) layer.q.set(head * kHeadDim + at, own, weight);
      for (int head = 0; head < kNumKvHeads; ++head) {
        layer.k.set(head * kHeadDim + at, before(back) + s, 1);
      }
    }
  }
  for (int bit = 0; bit < kContext; ++bit) {
    for (int s = 0; s < kNumSymbols; ++s) {
      const float value = code_bit(s, bit) ? 1.0f : -1.0f;
      layer.v.set(bit / kGroup * kHeadDim + bit % kGroup, kToken + s, value);
    }
    layer.o.set(kAnswer + bit, bit * kHeadDim + bit % kGroup, 1);
  }
  // One position later is worth 16, one unit of match more than all positions.
  constexpr float kSlope = 16;
  alibi_.assign(kContext, kSlope);
  layer.sm_scale = kSlope * kMaxInductionTokens;
}

void InductionModel::begin_step(const engine::StepView& view) {
  residual_.assign(static_cast<size_t>(view.num_tokens()) * width_, 0.0f);
  for (int i = 0; i < view.num_tokens(); ++i) {
    row(i)[kToken + view.tokens[i]] = 1;
    row(i)[kOne] = 1;
    row(i)[kStarted] = view.positions[i] >= kContext ? 1.0f : 0.0f;
  }
}

engine::LayerOptions InductionModel::before_attention(int layer, const engine::StepView& view,
                                                      const engine::LayerTensors& t) {
  const auto project = [&](const Weights& weights, const TensorView& out) {
    const int64_t n = out.shape[1] * out.shape[2];
    std::vector<float> y(n);
    for (int i = 0; i < view.num_tokens(); ++i) {
      std::fill(y.begin(), y.end(), 0.0f);
      weights.add_to(y.data(), row(i));
      for (int64_t d = 0; d < n; ++d) write_element(out.data, out.dtype, i * n + d, y[d]);
    }
  };
  project(layers_[layer].q, t.q);
  project(layers_[layer].k, t.k);
  project(layers_[layer].v, t.v);
  engine::LayerOptions options;
  options.sm_scale = layers_[layer].sm_scale;
  if (layer == 1) options.alibi_slopes = TensorView(alibi_.data(), DType::f32, {kContext});
  return options;
}

void InductionModel::after_attention(int layer, const engine::StepView& view,
                                     const engine::LayerTensors& t) {
  const int64_t n = t.o.shape[1] * t.o.shape[2];
  std::vector<float> o(n);
  for (int i = 0; i < view.num_tokens(); ++i) {
    for (int64_t d = 0; d < n; ++d) {
      o[d] = static_cast<float>(read_element(t.o.data, t.o.dtype, i * n + d));
    }
    layers_[layer].o.add_to(row(i), o.data());
    // The feed-forward part of layer 0: a threshold makes one-hots of the copies again, and drops
    // those that look back past the beginning.
    for (int d = kBefore; layer == 0 && d < kAnswer; ++d) {
      row(i)[d] = row(i)[d] + row(i)[kStarted] > 1.5f ? 1.0f : 0.0f;
    }
  }
}

std::vector<engine::TokenId> InductionModel::predict(const engine::StepView& view) {
  std::vector<float> logits;
  std::vector<int64_t> offsets;  // a request and a place in its text: the draw that belongs there
  for (int i = 0; i < view.batch_size(); ++i) {
    const engine::Chunk& chunk = view.step->chunks[i];
    if (!chunk.predicts()) continue;
    const float* answer = row(view.qo_indptr[i + 1] - 1) + kAnswer;
    for (int s = 0; s < kNumSymbols; ++s) {
      float logit = 0;
      for (int bit = 0; bit < kContext; ++bit)
        logit += code_bit(s, bit) ? answer[bit] : -answer[bit];
      logits.push_back(logit);
    }
    offsets.push_back(chunk.sequence->request.id << 32 | view.kv_len(i));
  }
  if (sampler_ != nullptr) return sampler_->draw(logits, offsets);
  std::vector<engine::TokenId> predicted;
  for (size_t i = 0; i < offsets.size(); ++i) {
    const auto begin = logits.begin() + static_cast<std::ptrdiff_t>(i) * kNumSymbols;
    predicted.push_back(
        static_cast<engine::TokenId>(std::max_element(begin, begin + kNumSymbols) - begin));
  }
  return predicted;
}

}  // namespace weft::cli
