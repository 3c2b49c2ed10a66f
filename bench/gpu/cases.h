// SPDX-License-Identifier: Apache-2.0
// The attention rows of bench/targets.jsonl as configs and lengths.
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
  double target_tflops = 0, peer_tflops = 0;

  /// Of the two products, masked pairs left out.
  double flops() const;
  int64_t tokens() const;
  /// K and V of all requests.
  int64_t kv_bytes() const;
};

enum class CaseKind {
  decode,   // bound by memory: decode and verify rows
  prefill,  // prefill and mixed rows, but those of FP8 queries, which nothing runs on a GPU yet
};

/// The rows of a kind whose id contains `filter`. Throws std::runtime_error when the file cannot be
/// read.
std::vector<Case> read_cases(const std::string& path, const std::string& filter,
                             CaseKind kind = CaseKind::decode);

}  // namespace weft::bench
