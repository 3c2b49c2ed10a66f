// SPDX-License-Identifier: Apache-2.0
// The frequencies of a Rope as constants of a kernel: kernels/core/rope.h's rope_turns, computed by
// the compiler, so that no kernel carries a double-precision pow and no launch a table.
#pragma once

#include "kernels/core/rope.h"

namespace weft {

/// ln(x) to about 1e-16 relative. REQUIRES: x > 0.
WEFT_HD constexpr double constant_log(double x) {
  constexpr double kLn2 = 0.693147180559945309417232121458;
  int exponent = 0;
  for (; x > 1.4142135623730951; ++exponent) x *= 0.5;
  for (; x < 0.7071067811865476; --exponent) x *= 2.0;
  const double y = (x - 1.0) / (x + 1.0);
  double sum = 0, power = y;
  for (int n = 1; n < 48; n += 2, power *= y * y) sum += power / n;
  return 2.0 * sum + exponent * kLn2;
}

/// e^x to about 1e-16 * (1 + |x|) relative.
WEFT_HD constexpr double constant_exp(double x) {
  constexpr double kLn2 = 0.693147180559945309417232121458;
  int exponent = 0;
  for (; x > 0.5 * kLn2; ++exponent) x -= kLn2;
  for (; x < -0.5 * kLn2; --exponent) x += kLn2;
  double sum = 0, term = 1;
  for (int n = 1; n < 24; term *= x / n, ++n) sum += term;
  for (; exponent > 0; --exponent) sum *= 2.0;
  for (; exponent < 0; ++exponent) sum *= 0.5;
  return sum;
}

template <int num_pairs>
struct RopeTable {
  uint64_t turns[num_pairs > 0 ? num_pairs : 1];

  /// REQUIRES: rope.dim == 2 * num_pairs, or 0.
  WEFT_HD static constexpr RopeTable of(const Rope& rope) {
    RopeTable table{};
    const double log_theta = constant_log(double(rope.theta));
    for (int i = 0; i < num_pairs; ++i) {
      table.turns[i] = rope_turns_of(rope_scaled(rope, constant_exp(-log_theta * i / num_pairs)));
    }
    return table;
  }
};

}  // namespace weft
