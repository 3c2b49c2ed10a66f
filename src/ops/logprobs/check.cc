// SPDX-License-Identifier: Apache-2.0
// Everything logprobs refuses, before anything is written. The passing path allocates nothing.
#include "src/base/check.h"

#include "src/base/overlap.h"
#include "src/ops/logprobs/rooms.h"
#include "src/ops/sampling/rooms.h"

namespace weft {

void check_logprobs_args(const LogprobsConfig& config, Device device, const LogprobsArgs& args) {
  check_tensor("input", args.input, config.dtype, {kAnySize, config.vocab_size}, device);
  check_optional("indices", args.indices, DType::i32, {kAnySize}, device);
  const int64_t n = args.indices.given() ? args.indices.shape[0] : args.input.shape[0];
  check_optional("temperature", args.temperature, DType::f32, {n}, device);
  check_adjustments(processing_of(config), device, processing_of(args), n);
  check_optional("token", args.token, DType::i32, {n}, device);
  check_output("top_tokens", args.top_tokens, DType::i32, {n, config.num}, device);
  check_output("top_logprobs", args.top_logprobs, DType::f32, {n, config.num}, device);
  if (args.token.given()) {
    check_output("token_logprob", args.token_logprob, DType::f32, {n}, device);
  } else {
    refuse_given("token_logprob", args.token_logprob, "without token");
  }
  if (args.status.given()) check_output("status", args.status, DType::u8, {n}, device);
  check_apart(
      {extent_of("top_tokens", args.top_tokens), extent_of("top_logprobs", args.top_logprobs),
       extent_of("token_logprob", args.token_logprob), extent_of("status", args.status)},
      {extent_of("input", args.input), extent_of("indices", args.indices),
       extent_of("temperature", args.temperature),
       extent_of("repetition_penalty", args.repetition_penalty),
       extent_of("frequency_penalty", args.frequency_penalty),
       extent_of("presence_penalty", args.presence_penalty),
       extent_of("prompt_mask", args.prompt_mask), extent_of("output_counts", args.output_counts),
       extent_of("bias", args.bias), extent_of("allowed", args.allowed),
       extent_of("token", args.token)});
}

void check_contents(const LogprobsParams& params) {
  for (int64_t i = 0; i < params.row.n; ++i) check_request(logprobs_request(params, i), i);
}

}  // namespace weft
