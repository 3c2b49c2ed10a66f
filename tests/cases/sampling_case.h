// SPDX-License-Identifier: Apache-2.0
// The case table of sampling: every filter and adjustment, dtypes, vocabularies, ties and rows with
// nothing to draw; tensors for a row, and their comparison with float64. The CPU, the kernels on
// the host and the GPU run the same rows.
#pragma once

#include <string>
#include <vector>

#include "tests/cases/tensors.h"
#include "weft/sampling.h"

namespace weft::cases {

/// How the values of a row are spread.
enum class LogitSpread {
  normal,
  peaked,
  flat,
  few_values,
  all_equal,
  wide,
  denormal,
  mostly_masked,
  sorted
};

struct SamplingCase {
  const char* name;
  int vocab = 1000;
  int n = 4;
  DType dtype = DType::f32;
  SamplingInput input = SamplingInput::logits;
  FilterOrder order = FilterOrder::top_k_first;
  LogitSpread spread = LogitSpread::normal;
  // Negative: not given. Of each row a little different.
  double temperature = -1, top_p = -1, min_p = -1;
  int top_k = -1;
  bool penalties = false, bias = false, allowed = false, indices = false, offset = true;
  int64_t pad = 0;
};

const std::vector<SamplingCase>& sampling_cases();
SamplingCase random_sampling_case(Random& random, int max_vocab);

struct SamplingData {
  SamplingConfig config;
  SamplingArgs args;
  FilterArgs filter;  // of the same input and parameters, without adjustments
  std::vector<OwnedTensor> inputs;
  OwnedTensor token, logprob, status, probs;
};

SamplingData make_sampling_data(const SamplingCase& c, uint64_t seed);

/// Puts any bits into some elements of every float and of top_k, parameters and values alike, and
/// says that nothing is checked.
void scramble(SamplingData& data, Random& random);

/// Empty when token, logprob and status of every sample are right.
std::string compare_samples(const SamplingData& data);
/// Empty when `filter`'s probs, or masked values, are right.
std::string compare_filter(const SamplingData& data);

}  // namespace weft::cases
