// SPDX-License-Identifier: Apache-2.0
// See check_rope.h.
#include "src/base/check_rope.h"

#include <cmath>
#include <cstdio>

#include "kernels/core/rope.h"
#include "src/base/check.h"

namespace weft {
namespace {

void check_positive(const char* field, float value) {
  if (std::isfinite(value) && value > 0.0f) return;
  fail(ErrorKind::invalid_argument, field, "a positive finite number", std::to_string(value));
}

// Six digits are enough to tell configs apart by eye.
std::string number(float value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%g", static_cast<double>(value));
  return text;
}

}  // namespace

Rope checked_rope(Rope rope, int head_dim) {
  check_range("rope.mode", static_cast<int>(rope.mode), static_cast<int>(RopeMode::none),
              static_cast<int>(RopeMode::interleaved));
  if (rope.mode == RopeMode::none) return rope;
  check_range("rope.dim", rope.dim, 0, min_of(head_dim, kMaxRopeDim));
  rope.dim = rope_dim(rope, head_dim);
  check_range("rope.dim", rope.dim, 2, kMaxRopeDim);
  if (rope.dim % 2 != 0) {
    fail(ErrorKind::invalid_argument, "rope.dim", "an even number", std::to_string(rope.dim));
  }
  check_positive("rope.theta", rope.theta);
  check_positive("rope.scale", rope.scale);
  if (!rope.llama31) return rope;
  check_positive("rope.low_freq_factor", rope.low_freq_factor);
  check_positive("rope.high_freq_factor", rope.high_freq_factor);
  if (rope.high_freq_factor <= rope.low_freq_factor) {
    fail(ErrorKind::invalid_argument, "rope.high_freq_factor",
         "more than rope.low_freq_factor = " + std::to_string(rope.low_freq_factor),
         std::to_string(rope.high_freq_factor));
  }
  check_range("rope.old_context_len", rope.old_context_len, 1, 0x7fffffff);
  return rope;
}

std::string describe(const Rope& rope) {
  if (rope.mode == RopeMode::none) return "no rope";
  std::string text = std::string("rope ") + name_of(rope.mode);
  if (rope.dim > 0) text += " dim " + std::to_string(rope.dim);
  text += " theta " + number(rope.theta);
  if (rope.scale != 1.0f) text += " scale " + number(rope.scale);
  if (!rope.llama31) return text;
  return text + " llama31 " + number(rope.low_freq_factor) + ".." + number(rope.high_freq_factor) +
         " of " + std::to_string(rope.old_context_len);
}

}  // namespace weft
