// SPDX-License-Identifier: Apache-2.0
// topk by sorting in float64, written from docs/semantics.md.
#pragma once

#include <vector>

#include "weft/topk.h"

namespace weft::oracle {

struct TopkEntry {
  int64_t position;  // in the row, from its start
  int64_t index;     // what it is called
};

/// What row `i` gives, in the order the config asks for; no more than it has.
std::vector<TopkEntry> topk_row(const TopkConfig& config, const TopkArgs& args, int64_t i);

}  // namespace weft::oracle
