// SPDX-License-Identifier: Apache-2.0
// Config + Target -> LogprobsSpec: what is supported, and by which unit.
#include "src/base/check.h"
#include "src/cpu/rows.h"
#include "src/ops/logprobs/rooms.h"

namespace weft {

std::string to_string(const LogprobsConfig& c) {
  return "log-probabilities of the " + std::to_string(c.num) + " most likely of " +
         std::to_string(c.vocab_size) + " tokens from " + name_of(c.dtype) + " logits" +
         (c.checked ? ", checked" : "");
}

void check_config(const LogprobsConfig& config) {
  if (config.dtype != DType::f32 && !is_float16(config.dtype)) {
    fail(ErrorKind::invalid_argument, "dtype", "f32, f16 or bf16", name_of(config.dtype));
  }
  check_range("vocab_size", config.vocab_size, 1, kMaxVocab);
  check_range("num", config.num, 1, kMostLogprobs);
}

LogprobsSpec select_logprobs(const LogprobsConfig& config, const Target& target) {
  return {.unit = row_unit(target), .dtype = config.dtype};
}

}  // namespace weft
