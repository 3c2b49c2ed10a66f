// SPDX-License-Identifier: Apache-2.0
// LogprobsParams: everything a logprobs kernel receives at launch, in one plain struct, and what
// every backend reads of it in the same way. Filled by src/ops/logprobs/run.cc. Strides count
// elements.
#pragma once

#include "kernels/sampling/params.h"

namespace weft {

struct LogprobsParams {
  SamplingParams row;    // logits and their processing; its outputs are null, but for status
  const int32_t* token;  // [n] or null
  float* token_logprob;  // [n], with token
  int32_t* top_tokens;   // [n, num]
  float* top_logprobs;   // [n, num]
  int64_t top_tokens_stride, top_logprobs_stride;
  int32_t num;
};

/// What sample `i` asks for, checked.
WEFT_HD SampleRequest logprobs_request(const LogprobsParams& p, int64_t i) {
  SampleRequest r = sample_request(p.row, i);
  if (p.token != nullptr) {
    detail::blame(r, p.token[i] >= 0 && p.token[i] < p.row.vocab_size, RowFault::token);
  }
  return r;
}

/// A greedy sampler has no distribution of its own to report.
WEFT_HD MassScale logprobs_scale(const SampleRequest& r, uint32_t top) {
  return MassScale::of_logits(value_of(top), r.temperature == 0.0f ? 1.0f : r.temperature);
}

/// The entry of a token that may be reported; 0: none.
WEFT_HD uint64_t token_entry(float z, int32_t token) {
  const uint32_t key = key_of(z);
  return key == kMaskedKey ? 0 : entry_of(key, token);
}

/// Reports `entry` as the `place`-th of sample `i`.
WEFT_HD void put_logprob(const LogprobsParams& p, int64_t i, int32_t place, uint64_t entry,
                         const MassScale& scale, uint64_t total) {
  const bool none = entry == 0;
  p.top_tokens[i * p.top_tokens_stride + place] = none ? -1 : position_of(entry);
  p.top_logprobs[i * p.top_logprobs_stride + place] =
      none ? float_of(0xff800000u)
           : log_share(value_of(static_cast<uint32_t>(entry >> 32)), scale, total);
}

/// What stands for place `place` of a sample with a status.
WEFT_HD void put_no_logprob(const LogprobsParams& p, int64_t i, int32_t place) {
  p.top_tokens[i * p.top_tokens_stride + place] = -1;
  p.top_logprobs[i * p.top_logprobs_stride + place] = float_of(0x7fc00000u);
}

}  // namespace weft
