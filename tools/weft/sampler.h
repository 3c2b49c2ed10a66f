// SPDX-License-Identifier: Apache-2.0
// Tokens drawn from the logits of a step, every row with the same parameters and a draw of its own.
// Used by `weft generate`; the same seed and logits give the same tokens on every device.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "examples/engine/engine.h"
#include "weft/sampling.h"

namespace weft::cli {

struct SampleOptions {
  float temperature = 1.0f;
  int top_k = 0;  // off
  float top_p = 1.0f;
  float min_p = 0.0f;
  int64_t seed = 0;
};

class Sampler {
 public:
  /// `memory` is of the device that `sampling` was made for; at most `max_rows` rows a draw.
  Sampler(const SampleOptions& options, Sampling sampling, int max_rows, engine::Memory& memory,
          const Executor& executor);

  /// One token for each row of `logits`, by its draw `offsets[i]` of the seed.
  std::vector<engine::TokenId> draw(const std::vector<float>& logits,
                                    const std::vector<int64_t>& offsets) const;

 private:
  Sampling sampling_;
  engine::Memory& memory_;
  Executor executor_;
  engine::Buffer logits_, seed_, offset_, temperature_, top_k_, top_p_, min_p_, token_;
};

}  // namespace weft::cli
