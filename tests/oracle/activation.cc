// SPDX-License-Identifier: Apache-2.0
// See activation.h. The complementary error function keeps the left tail of gelu exact.
#include "tests/oracle/activation.h"

#include <cmath>
#include <numbers>

#include "tests/oracle/numbers.h"

namespace weft::oracle {

double activate(ActivationKind kind, double x) {
  switch (kind) {
    case ActivationKind::silu:
      return x / (1.0 + std::exp(-x));
    case ActivationKind::gelu:
      return 0.5 * x * std::erfc(-x / std::numbers::sqrt2);
    case ActivationKind::gelu_tanh: {
      const double u = std::sqrt(2.0 / std::numbers::pi) * (x + 0.044715 * x * x * x);
      return x / (1.0 + std::exp(-2.0 * u));
    }
  }
  return std::nan("");
}

double activated(const ActivationConfig& config, const ActivationArgs& args, int64_t row,
                 int64_t d) {
  double scale = static_cast<double>(args.scale);
  if (args.scales.given()) scale *= at(args.scales, {0});
  return activate(config.kind, at(args.x, {row, d})) * at(args.x, {row, config.hidden + d}) / scale;
}

}  // namespace weft::oracle
