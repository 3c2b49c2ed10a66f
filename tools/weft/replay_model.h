// SPDX-License-Identifier: Apache-2.0
// The model that replay gives the engine: synthetic q, k, v for every layer, and the judge of what
// attention made of them. Generates tokens that mean nothing.
#pragma once

#include <random>

#include "tools/weft/replay.h"
#include "tools/weft/row_check.h"

namespace weft::cli {

class ReplayModel final : public engine::Model {
 public:
  /// Counts what it checks in `result`.
  ReplayModel(const ReplayOptions& options, Threads& threads, ReplayResult& result);

  void begin_step(const engine::StepView& view) override;
  engine::LayerOptions before_attention(int layer, const engine::StepView& view,
                                        const engine::LayerTensors& tensors) override;
  void after_attention(int layer, const engine::StepView& view,
                       const engine::LayerTensors& tensors) override;
  std::vector<engine::TokenId> predict(const engine::StepView& view) override;

 private:
  struct Sample {
    int layer, chunk, row, head;  // row of the batch
  };

  void check_coverage(const engine::StepView& view);
  void fill(VectorName::Kind kind, int layer, const engine::StepView& view,
            const TensorView& tensor, int row);
  RowVerdict check_sample(const Sample& sample, const engine::StepView& view,
                          const engine::LayerTensors& tensors) const;
  int64_t count_nan(const TensorView& tensor);
  void fail_rows(int64_t rows, const std::string& why);

  ReplayOptions options_;
  Threads& threads_;
  ReplayResult& result_;
  Synthetic data_;
  std::mt19937_64 random_;
  std::vector<float> sinks_;
  std::vector<Sample> samples_;
  int64_t most_mixed_ = -1;
};

}  // namespace weft::cli
