// SPDX-License-Identifier: Apache-2.0
// Config + Target -> SamplingSpec: what is supported, and by which unit.
#include "src/base/check.h"
#include "src/cpu/rows.h"
#include "src/ops/sampling/rooms.h"

namespace weft {

std::string to_string(const SamplingConfig& c) {
  std::string text = std::string("sample from ") + name_of(c.dtype) +
                     (c.input == SamplingInput::probs ? " probabilities" : " logits") + " of " +
                     std::to_string(c.vocab_size) + " tokens, top-p " +
                     (c.order == FilterOrder::joint ? "of the whole row" : "of what top-k left");
  return text + (c.checked ? ", checked" : "");
}

void check_config(const SamplingConfig& config) {
  if (config.dtype != DType::f32 && !is_float16(config.dtype)) {
    fail(ErrorKind::invalid_argument, "dtype", "f32, f16 or bf16", name_of(config.dtype));
  }
  check_range("vocab_size", config.vocab_size, 1, kMaxVocab);
  check_range("input", static_cast<int64_t>(config.input), 0, 1);
  check_range("order", static_cast<int64_t>(config.order), 0, 1);
}

SamplingSpec select_sampling(const SamplingConfig& config, const Target& target) {
  return {.unit = row_unit(target),
          .dtype = config.dtype,
          .vocab_size = config.vocab_size,
          .probs = config.input == SamplingInput::probs,
          .joint = config.order == FilterOrder::joint};
}

}  // namespace weft
