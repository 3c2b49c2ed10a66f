// SPDX-License-Identifier: Apache-2.0
// StagedModel: a model that computes on the host beside an engine whose tensors lie elsewhere. What
// it writes and reads passes through copies in ordinary memory. Used by `weft generate`.
#pragma once

#include <vector>

#include "examples/engine/engine.h"

namespace weft::cli {

class StagedModel final : public engine::Model {
 public:
  /// `memory` is the engine's.
  StagedModel(engine::Model& model, engine::Memory& memory) : model_(model), memory_(memory) {}

  void begin_step(const engine::StepView& view) override { model_.begin_step(view); }
  engine::LayerOptions before_attention(int layer, const engine::StepView& view,
                                        const engine::LayerTensors& tensors) override;
  void after_attention(int layer, const engine::StepView& view,
                       const engine::LayerTensors& tensors) override;
  std::vector<engine::TokenId> predict(const engine::StepView& view) override {
    return model_.predict(view);
  }

 private:
  using Copy = std::vector<char>;
  static TensorView on_host(Copy& copy, const TensorView& tensor);
  /// The same values in the engine's memory; nothing for nothing.
  TensorView on_device(engine::Buffer& buffer, const TensorView& host);

  engine::Model& model_;
  engine::Memory& memory_;
  Copy q_, k_, v_, o_, lse_;
  engine::Buffer alibi_slopes_, sink_;
};

}  // namespace weft::cli
