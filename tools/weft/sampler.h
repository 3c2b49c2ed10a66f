// SPDX-License-Identifier: Apache-2.0
// Tokens drawn from the logits of a step, every row with the same parameters and a draw of its own.
// Used by `weft generate`; the same seed gives the same text on every machine.
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
  Sampler(const SampleOptions& options, int vocab_size, const Target& target,
          const Executor& executor);

  /// One token for each row of `logits`, by its draw `offsets[i]` of the seed.
  std::vector<engine::TokenId> draw(const std::vector<float>& logits,
                                    const std::vector<int64_t>& offsets) const;

 private:
  SampleOptions options_;
  Sampling sampling_;
  Executor executor_;
};

}  // namespace weft::cli
