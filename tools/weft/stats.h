// SPDX-License-Identifier: Apache-2.0
// Order statistics of small samples. Used by bench, replay and the roofs.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace weft::cli {

/// The p-th percentile (0..100) by linear interpolation between ranks; 0 for no values.
inline double percentile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  const double rank = p / 100 * static_cast<double>(values.size() - 1);
  const auto low = static_cast<size_t>(rank);
  std::nth_element(values.begin(), values.begin() + low, values.end());
  const double at_low = values[low];
  if (low + 1 == values.size()) return at_low;
  const double at_high = *std::min_element(values.begin() + low + 1, values.end());
  return at_low + (rank - static_cast<double>(low)) * (at_high - at_low);
}

inline double median(const std::vector<double>& values) { return percentile(values, 50); }

}  // namespace weft::cli
