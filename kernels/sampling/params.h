// SPDX-License-Identifier: Apache-2.0
// SamplingParams: everything a sampling kernel receives at launch, in one plain struct, and what
// every backend reads of it in the same way. Filled by src/ops/sampling/run.cc. Strides count
// elements. A null pointer is a parameter that is not given.
#pragma once

#include "kernels/core/fault.h"
#include "kernels/sampling/mass.h"

namespace weft {

enum class SampleStatus : uint8_t { ok = 0, nan = 1, nothing = 2, bad_parameter = 3 };

struct SamplingParams {
  const void* input;       // [rows, vocab_size], logits or probabilities
  const int32_t* indices;  // [n]: the row of input, prompt_mask, output_counts, bias, allowed
  const int64_t* seed;     // [n]
  const int64_t* offset;   // [n]
  const float* temperature;
  const int32_t* top_k;
  const float* top_p;
  const float* min_p;
  const float* repetition_penalty;
  const float* frequency_penalty;
  const float* presence_penalty;
  const uint32_t* prompt_mask;   // [rows, ceil(vocab_size / 32)]
  const int32_t* output_counts;  // [rows, vocab_size]
  const float* bias;             // [rows, vocab_size]
  const uint32_t* allowed;       // [rows, ceil(vocab_size / 32)]
  int32_t* token;                // [n]
  float* logprob;                // [n] or null
  uint8_t* status;               // [n] or null
  void* output;                  // [n, vocab_size]: what `filter` writes
  int64_t input_stride, prompt_mask_stride, output_counts_stride, bias_stride, allowed_stride;
  int64_t output_stride;
  int64_t n;
  int64_t num_rows;  // of input
  uint64_t* fault;   // [1] or null: parameters are not reported
  int32_t vocab_size;
  bool joint;          // top-p looks at the whole distribution, not at what top-k left
  bool writes_logits;  // of `filter`: values, or -infinity; else probabilities
};

/// What one sample asks for, checked.
struct SampleRequest {
  int64_t row;  // of input
  float temperature, top_p, min_p;
  float repetition, frequency, presence;
  int32_t top_k;   // vocab_size or more: off
  RowFault fault;  // of the first parameter that is wrong
  bool bad;
  bool adjusts;  // some logit may differ from the input

  WEFT_HD bool greedy() const { return temperature == 0.0f || top_k == 1; }
  WEFT_HD int32_t kept_at_most() const { return greedy() ? 1 : top_k; }
};

namespace detail {

WEFT_HD void blame(SampleRequest& r, bool right, RowFault fault) {
  if (right || r.bad) return;
  r.bad = true;
  r.fault = fault;
}

WEFT_HD float value_or(const float* values, int64_t i, float otherwise) {
  return values == nullptr ? otherwise : values[i];
}

}  // namespace detail

WEFT_HD bool is_finite(float x) { return x - x == 0.0f; }

/// Some logit may differ from the input.
WEFT_HD bool adjusts(const SamplingParams& p) {
  return p.bias != nullptr || p.allowed != nullptr || p.prompt_mask != nullptr ||
         p.output_counts != nullptr;
}

/// The row of input that sample `i` looks at; -1 when there is none.
WEFT_HD int64_t row_of_sample(const SamplingParams& p, int64_t i) {
  const int64_t row = p.indices == nullptr ? i : p.indices[i];
  return row < 0 || row >= p.num_rows ? -1 : row;
}

/// What sample `i` asks for. A wrong parameter is noted, and never used.
WEFT_HD SampleRequest sample_request(const SamplingParams& p, int64_t i) {
  using detail::blame;
  using detail::value_or;
  SampleRequest r{};
  r.row = row_of_sample(p, i);
  blame(r, r.row >= 0, RowFault::indices);
  r.row = max_of(r.row, int64_t{0});
  r.temperature = value_or(p.temperature, i, 1.0f);
  blame(r, r.temperature >= 0.0f && r.temperature <= kMaxTemperature, RowFault::temperature);
  r.top_k = p.top_k == nullptr || p.top_k[i] <= 0 ? p.vocab_size : p.top_k[i];
  r.top_p = value_or(p.top_p, i, 1.0f);
  blame(r, r.top_p >= 0.0f, RowFault::top_p);
  r.min_p = value_or(p.min_p, i, 0.0f);
  blame(r, r.min_p >= 0.0f && r.min_p <= 1.0f, RowFault::min_p);
  r.repetition = value_or(p.repetition_penalty, i, 1.0f);
  blame(r, r.repetition > 0.0f && is_finite(r.repetition), RowFault::repetition_penalty);
  r.frequency = value_or(p.frequency_penalty, i, 0.0f);
  blame(r, is_finite(r.frequency), RowFault::frequency_penalty);
  r.presence = value_or(p.presence_penalty, i, 0.0f);
  blame(r, is_finite(r.presence), RowFault::presence_penalty);
  r.adjusts = adjusts(p);
  return r;
}

WEFT_HD bool bit_of(const uint32_t* words, int32_t i) {
  return (words[i >> 5] >> (i & 31) & 1) != 0;
}

/// The value of token `t` as every later step sees it: no -0, no +infinity.
WEFT_HD float plain_value(float z) {
  z = plus(z, 0.0f);
  return z > kLargest ? kLargest : z;
}

/// Penalties, bias and mask of token `t`, in that order.
WEFT_HD float adjusted_value(const SamplingParams& p, const SampleRequest& r, int32_t t, float z) {
  const int32_t count =
      p.output_counts == nullptr ? 0 : p.output_counts[r.row * p.output_counts_stride + t];
  const bool seen = count > 0 || (p.prompt_mask != nullptr &&
                                  bit_of(p.prompt_mask + r.row * p.prompt_mask_stride, t));
  if (seen && r.repetition != 1.0f) {
    z = z > 0.0f ? quotient(z, r.repetition) : times(z, r.repetition);
  }
  if (count > 0) {
    z = plus(z, -times(r.frequency, static_cast<float>(count)));
    z = plus(z, -r.presence);
  }
  if (p.bias != nullptr) z = plus(z, p.bias[r.row * p.bias_stride + t]);
  if (p.allowed != nullptr && !bit_of(p.allowed + r.row * p.allowed_stride, t)) {
    return float_of(0xff800000u);
  }
  return z;
}

}  // namespace weft
