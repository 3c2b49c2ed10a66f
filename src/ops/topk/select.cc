// SPDX-License-Identifier: Apache-2.0
// Config + Target -> TopkSpec: what is supported, and by which unit.
#include "kernels/sampling/mass.h"
#include "src/base/check.h"
#include "src/cpu/rows.h"
#include "src/ops/topk/rooms.h"

namespace weft {

std::string to_string(const TopkConfig& c) {
  std::string text = "the " + std::to_string(c.k) + " largest of up to " +
                     std::to_string(c.max_len) + " " + name_of(c.dtype) + ", " +
                     (c.sorted ? "largest first" : "by position");
  if (c.page_size != 1) text += ", pages of " + std::to_string(c.page_size);
  return text + (c.checked ? ", checked" : "");
}

void check_config(const TopkConfig& config) {
  if (config.dtype != DType::f32 && !is_float16(config.dtype)) {
    fail(ErrorKind::invalid_argument, "dtype", "f32, f16 or bf16", name_of(config.dtype));
  }
  check_range("max_len", config.max_len, 1, kMaxVocab);
  check_range("k", config.k, 1, kMostTopk);
  check_range("page_size", config.page_size, 1, 1 << 20);
}

TopkSpec select_topk(const TopkConfig& config, const Target& target) {
  return {.unit = row_unit(target), .dtype = config.dtype, .sorted = config.sorted};
}

}  // namespace weft
