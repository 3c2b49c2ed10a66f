// SPDX-License-Identifier: Apache-2.0
// Config + Target -> VerifySpec: what is supported, and by which unit.
#include "kernels/sampling/mass.h"
#include "src/base/check.h"
#include "src/cpu/rows.h"
#include "src/ops/verify/rooms.h"

namespace weft {

std::string to_string(const VerifyConfig& c) {
  return std::string("verify ") + (c.tree ? "a tree" : "a chain") + " of " +
         std::to_string(c.num_draft) + " drafts, " + name_of(c.dtype) + " probabilities of " +
         std::to_string(c.vocab_size) + " tokens";
}

void check_config(const VerifyConfig& config) {
  if (config.dtype != DType::f32 && !is_float16(config.dtype)) {
    fail(ErrorKind::invalid_argument, "dtype", "f32, f16 or bf16", name_of(config.dtype));
  }
  check_range("vocab_size", config.vocab_size, 1, kMaxVocab);
  check_range("num_draft", config.num_draft, 1, kMostDrafts);
}

VerifySpec select_verify(const VerifyConfig& config, const Target& target) {
  return {.unit = row_unit(target), .dtype = config.dtype};
}

}  // namespace weft
