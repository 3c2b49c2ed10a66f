// SPDX-License-Identifier: Apache-2.0
// See norm.h. The residual is rounded to its dtype before anything else sees it.
#include "tests/oracle/norm.h"

#include <cmath>

#include "tests/oracle/numbers.h"

namespace weft::oracle {
namespace {

double element(const NormConfig& c, const TensorView& t, int64_t token, int head, int64_t d) {
  return c.num_heads == 0 ? at(t, {token, d}) : at(t, {token, head, d});
}

double weight_at(const TensorView& t, int head, int64_t d, double absent) {
  if (!t.given()) return absent;
  return t.ndim == 2 ? at(t, {head, d}) : at(t, {d});
}

}  // namespace

NormalisedRow norm_row(const NormConfig& c, const NormArgs& args, int64_t token, int head) {
  NormalisedRow row;
  std::vector<double> x;
  for (int64_t d = 0; d < c.hidden; ++d) {
    double value = element(c, args.x, token, head, d);
    if (c.residual) {
      value = rounded(c.dtype, value + element(c, args.residual, token, head, d));
      row.residual.push_back(value);
    }
    x.push_back(value);
  }
  double mean = 0, size = 0, squares = 0;
  for (const double v : x) mean += v / c.hidden, size += std::fabs(v) / c.hidden;
  const double centre = c.kind == NormKind::layer ? mean : 0.0;
  for (const double v : x) squares += (v - centre) * (v - centre) / c.hidden;
  const double factor = 1.0 / std::sqrt(squares + static_cast<double>(c.eps));
  double scale = static_cast<double>(args.scale);
  if (args.scales.given()) scale *= at(args.scales, {head});
  // What one rounding of a mean to f32 moves every difference by.
  const double shift = c.kind == NormKind::layer ? 5e-7 * (std::fabs(mean) + size) : 0.0;
  for (int64_t d = 0; d < c.hidden; ++d) {
    const double w = weight_at(args.weight, head, d, 1.0) + static_cast<double>(c.weight_offset);
    const double b = weight_at(args.bias, head, d, 0.0);
    const double z = (x[static_cast<size_t>(d)] - centre) * factor;
    row.y.push_back((z * w + b) / scale);
    const double relative = 2e-6 + shift * factor;
    row.error.push_back(
        ((std::fabs(z) * relative + shift * factor) * std::fabs(w) + 3e-7 * std::fabs(b)) / scale);
  }
  return row;
}

}  // namespace weft::oracle
