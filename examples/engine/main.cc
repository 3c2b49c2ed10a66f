// SPDX-License-Identifier: Apache-2.0
// The engine in thirty lines: a model of one attention layer whose answer is easy to know. Every
// token's value says how large the token is, every key is the same, so attention is the mean of
// what came before. Three requests, two of them with a common prefix, each predict that mean.
#include <cmath>
#include <cstdio>

#include "examples/engine/engine.h"

namespace {

class MeanModel final : public engine::Model {
 public:
  engine::LayerOptions before_attention(int, const engine::StepView& view,
                                        const engine::LayerTensors& t) override {
    auto* q = static_cast<float*>(t.q.data);
    auto* k = static_cast<float*>(t.k.data);
    auto* v = static_cast<float*>(t.v.data);
    const int64_t dim = t.q.shape[2];
    for (int64_t i = 0; i < view.num_tokens() * dim; ++i) {
      q[i] = k[i] = 0.0f;
      v[i] = static_cast<float>(view.tokens[i / dim]);
    }
    return {};
  }
  void after_attention(int, const engine::StepView&, const engine::LayerTensors& t) override {
    o_ = t.o;
  }
  std::vector<engine::TokenId> predict(const engine::StepView& view) override {
    std::vector<engine::TokenId> predicted;
    for (int i = 0; i < view.batch_size(); ++i) {
      const int64_t last = view.qo_indptr[i + 1] - 1;
      const float mean = static_cast<const float*>(o_.data)[last * o_.strides[0]];
      if (view.step->chunks[i].predicts()) predicted.push_back(std::lround(mean));
    }
    return predicted;
  }

 private:
  weft::TensorView o_;
};

}  // namespace

int main() {
  engine::EngineConfig config;
  config.attention.dtype_q = config.attention.dtype_kv = weft::DType::f32;
  config.attention.num_qo_heads = config.attention.num_kv_heads = 1;
  config.attention.head_dim_qk = 16;
  config.attention.page_size = 4;
  config.limits = {8, 16};
  config.num_pages = 16;
  engine::HostMemory memory;
  engine::Engine engine(config, memory);
  MeanModel model;
  engine.add({1, {10, 20, 30, 40, 50}, 2, std::nullopt});
  engine.add({2, {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}, 3, std::nullopt});
  while (!engine.idle()) {
    const int expected[] = {0, 30, 7};
    for (const auto& done : engine.step(model)) {
      std::printf("request %d:", static_cast<int>(done->request.id));
      for (engine::TokenId token : done->tokens) std::printf(" %d", token);
      std::printf("\n");
      if (done->tokens.back() != expected[done->request.id]) return 1;
    }
  }
  return 0;
}
