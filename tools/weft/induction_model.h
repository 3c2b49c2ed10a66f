// SPDX-License-Identifier: Apache-2.0
// A decoder-only transformer whose weights are constructed, not trained, so that its text is known:
// it continues a text with what followed the latest place that looks most like its end.
//
//   layer 0  six heads copy the characters 1..6 positions back (fused RoPE finds the position)
//   layer 1  compares the last six characters with the six before every position (the latest wins
//            by ALiBi) and copies the character there; each of its six heads carries one bit
//
// So a wrong page, mask, position, head, layout or scale is a wrong character. The model runs on
// the engine; `continuation` says the same from the text alone. Used by generate.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "examples/engine/engine.h"
#include "tools/weft/sampler.h"

namespace weft::cli {

inline constexpr int kContext = 6;  // characters compared, heads of each layer, bits of a code
inline constexpr int kNumSymbols = 32;
/// Most tokens of a sequence: within them no rotary phase comes near another's.
inline constexpr int kMaxInductionTokens = 4096;

/// Number of a character: newline, space, a to z and . , ? : are known.
/// Throws std::invalid_argument naming any other.
engine::TokenId symbol_of(char c);
char char_of(engine::TokenId symbol);
std::vector<engine::TokenId> symbols_of(std::string_view text);

/// The same rule on plain text: `text` is continued until `stop`, or by `max_new` characters.
/// Each place j is scored by the characters before it that equal the text's last ones: 32 for the
/// nearest, then 16, 8, 4, 2, 1; the latest best place gives the next character.
/// REQUIRES: more than kContext characters.
std::string continuation(std::string text, int max_new, char stop);

/// A sparse matrix: y[out] += value * x[in].
struct Weights {
  struct Entry {
    int out, in;
    float value;
  };
  std::vector<Entry> entries;
  void set(int out, int in, float value) { entries.push_back({out, in, value}); }
  void add_to(float* y, const float* x) const {
    for (const Entry& e : entries) y[e.out] += e.value * x[e.in];
  }
};

class InductionModel final : public engine::Model {
 public:
  /// Without a sampler it takes the likeliest symbol; of several the first.
  explicit InductionModel(const Sampler* sampler = nullptr);

  /// What the engine's attention must be for this model.
  static AttentionConfig attention_config(DType dtype, DType dtype_kv, int page_size);
  static constexpr int kNumLayers = 2;

  void begin_step(const engine::StepView& view) override;
  engine::LayerOptions before_attention(int layer, const engine::StepView& view,
                                        const engine::LayerTensors& tensors) override;
  void after_attention(int layer, const engine::StepView& view,
                       const engine::LayerTensors& tensors) override;
  std::vector<engine::TokenId> predict(const engine::StepView& view) override;

 private:
  struct Layer {
    Weights q, k, v, o;
    float sm_scale = 1;
  };

  void build_look_back();
  void build_match();
  float* row(int i) { return residual_.data() + static_cast<size_t>(i) * width_; }

  const Sampler* sampler_;
  int width_;  // of the residual stream
  std::vector<Layer> layers_;
  std::vector<float> alibi_;     // slopes of layer 1
  std::vector<float> residual_;  // [nnz_qo, width_]
};

}  // namespace weft::cli
