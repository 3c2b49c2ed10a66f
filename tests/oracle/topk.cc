// SPDX-License-Identifier: Apache-2.0
// See topk.h.
#include "tests/oracle/topk.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/oracle/numbers.h"

namespace weft::oracle {

std::vector<TopkEntry> topk_row(const TopkConfig& config, const TopkArgs& args, int64_t i) {
  constexpr double kMost = std::numeric_limits<float>::max();
  const auto given = [&](const TensorView& t, int64_t otherwise) {
    return t.given() ? int_at(t, i) : otherwise;
  };
  const int64_t start = given(args.row_starts, 0);
  const int64_t length = given(args.lengths, config.max_len - start);
  std::vector<std::pair<double, int64_t>> all;
  for (int64_t j = 0; j < length; ++j) {
    const double z = at(args.input, {i, start + j});
    all.emplace_back(std::isnan(z) ? kMost : -std::clamp(z, -kMost, kMost), j);
  }
  std::sort(all.begin(), all.end());
  all.resize(std::min(all.size(), static_cast<size_t>(config.k)));
  if (!config.sorted) {
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.second < b.second; });
  }
  std::vector<TopkEntry> row;
  for (const auto& [value, j] : all) {
    int64_t index = j + given(args.offsets, 0);
    if (args.page_table.given()) {
      const int64_t batch = given(args.row_to_batch, i), page = j / config.page_size;
      const auto* entry = reinterpret_cast<const int32_t*>(address(args.page_table, {batch, page}));
      index = int64_t{*entry} * config.page_size + j % config.page_size;
    }
    row.push_back({j, index});
  }
  return row;
}

}  // namespace weft::oracle
