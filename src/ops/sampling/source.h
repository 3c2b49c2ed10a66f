// SPDX-License-Identifier: Apache-2.0
// The values of a sample's row on the CPU, with penalties, bias and mask. Per-ISA units only, like
// simd.h; used by sampling and logprobs.
#pragma once

#include "kernels/sampling/params.h"
#include "src/cpu/row_values.h"

namespace weft {
namespace {

/// The values of a sample's row as every step sees them.
class SampleSource {
 public:
  SampleSource(DType dtype, bool probs, const SamplingParams& p, const SampleRequest& request)
      : dtype_(dtype), probs_(probs), p_(p), request_(request) {}

  int size() const { return p_.vocab_size; }

  void fill(int begin, int n, float* z) const {
    const int64_t at = request_.row * p_.input_stride + begin;
    load_values(p_.input, dtype_, at, n, z);
    if (request_.adjusts) {
      for (int i = 0; i < n; ++i) z[i] = adjusted_value(p_, request_, begin + i, z[i]);
    }
    plain_values(probs_, n, z);
  }

 private:
  DType dtype_;
  bool probs_;
  const SamplingParams& p_;
  const SampleRequest& request_;
};

}  // namespace
}  // namespace weft
