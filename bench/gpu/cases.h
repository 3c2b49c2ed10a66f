// SPDX-License-Identifier: Apache-2.0
// The decode and verify rows of bench/targets.jsonl as configs and lengths.
#pragma once

#include <string>
#include <vector>

#include "weft/attention.h"

namespace weft::bench {

struct Case {
  std::string id;
  AttentionConfig config;
  std::vector<int> qo_lens, kv_lens;
  double target_us = 0, floor_us = 0, peer_us = 0;  // 0 = not given

  int64_t tokens() const;
  /// K and V of all requests.
  int64_t kv_bytes() const;
};

/// The rows whose id contains `filter`. Throws std::runtime_error when the file cannot be read.
std::vector<Case> read_cases(const std::string& path, const std::string& filter);

}  // namespace weft::bench
