// SPDX-License-Identifier: Apache-2.0
// Calls of logprobs on the rows of sampling's case table, and their comparison with float64. The
// CPU, the kernel on the host and the GPU run the same rows.
#pragma once

#include <string>
#include <vector>

#include "tests/cases/sampling_case.h"
#include "weft/logprobs.h"

namespace weft::cases {

struct LogprobsData {
  LogprobsConfig config;
  LogprobsArgs args;
  SamplingData rows;  // inputs, in part
  OwnedTensor token;  // given
  std::vector<OwnedTensor> outputs;

  void poison() {
    for (OwnedTensor& t : outputs) t.poison();
  }
  /// Of all outputs.
  std::vector<char> bits() const { return bytes_of(outputs); }
};

/// Rows of `c`, which must be of logits, without its filters.
LogprobsData make_logprobs_data(const SamplingCase& c, int num, uint64_t seed);

/// Empty when every output is right.
std::string compare_logprobs(const LogprobsData& data);

}  // namespace weft::cases
