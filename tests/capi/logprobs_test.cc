// SPDX-License-Identifier: Apache-2.0
// logprobs through the C ABI: what C++ gives, and what is refused.
#include <gtest/gtest.h>

#include "tests/capi/convert.h"
#include "tests/capi/small_attention.h"
#include "tests/cases/logprobs_case.h"
#include "weft/c_logprobs.h"

namespace weft::capi_test {
namespace {

weft_logprobs_config to_c(const LogprobsConfig& config) {
  weft_logprobs_config c;
  weft_logprobs_config_init(&c, sizeof(c));
  c.dtype = static_cast<int32_t>(config.dtype);
  c.vocab_size = config.vocab_size, c.num = config.num;
  return c;
}

weft_logprobs_args to_c(const LogprobsArgs& args, Tensors& tensors) {
  weft_logprobs_args c;
  weft_logprobs_args_init(&c, sizeof(c));
  c.input = tensors.add(args.input), c.indices = tensors.add(args.indices);
  c.temperature = tensors.add(args.temperature);
  c.repetition_penalty = tensors.add(args.repetition_penalty);
  c.frequency_penalty = tensors.add(args.frequency_penalty);
  c.presence_penalty = tensors.add(args.presence_penalty);
  c.prompt_mask = tensors.add(args.prompt_mask);
  c.output_counts = tensors.add(args.output_counts);
  c.bias = tensors.add(args.bias), c.allowed = tensors.add(args.allowed);
  c.token = tensors.add(args.token), c.top_tokens = tensors.add(args.top_tokens);
  c.top_logprobs = tensors.add(args.top_logprobs);
  c.token_logprob = tensors.add(args.token_logprob), c.status = tensors.add(args.status);
  return c;
}

TEST(LogprobsInC, MatchesFloat64) {
  for (const cases::SamplingCase& c : cases::sampling_cases()) {
    if (c.vocab > 2000 || c.input == SamplingInput::probs) continue;
    cases::LogprobsData data = cases::make_logprobs_data(c, 7, 9);
    const weft_logprobs_config config = to_c(data.config);
    Tensors tensors;
    const weft_logprobs_args args = to_c(data.args, tensors);
    weft_logprobs_t logprobs = nullptr;
    ASSERT_EQ(weft_logprobs_create(&config, nullptr, nullptr, &logprobs), WEFT_STATUS_OK);
    EXPECT_EQ(weft_logprobs_run(logprobs, &args, nullptr), WEFT_STATUS_OK) << weft_last_error();
    EXPECT_EQ(weft_logprobs_check(logprobs, nullptr), WEFT_STATUS_OK);
    EXPECT_EQ(cases::compare_logprobs(data), "") << c.name;
    char text[512] = {};
    EXPECT_EQ(weft_logprobs_explain(logprobs, text, sizeof(text), nullptr), WEFT_STATUS_OK);
    EXPECT_NE(std::string(text).find("7 most likely"), std::string::npos) << text;
    EXPECT_EQ(weft_logprobs_destroy(logprobs), WEFT_STATUS_OK);
  }
}

TEST(LogprobsInC, WhatIsWrongIsNamed) {
  weft_logprobs_config config = to_c({.vocab_size = 100});
  weft_logprobs_t logprobs = nullptr;
  EXPECT_EQ(weft_logprobs_create(&config, nullptr, nullptr, &logprobs),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"num: expected", "got 0"})) << weft_last_error();
  config.num = 3;
  ASSERT_EQ(weft_logprobs_create(&config, nullptr, nullptr, &logprobs), WEFT_STATUS_OK);
  weft_logprobs_args args;
  weft_logprobs_args_init(&args, sizeof(args));
  EXPECT_EQ(weft_logprobs_run(logprobs, &args, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"input: expected", "got nothing"})) << weft_last_error();
  EXPECT_EQ(weft_logprobs_run(logprobs, nullptr, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_logprobs_run(nullptr, &args, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_logprobs_check(nullptr, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_logprobs_destroy(logprobs), WEFT_STATUS_OK);
  EXPECT_EQ(weft_logprobs_create_cuda(&config, nullptr, nullptr, &logprobs),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"backend", "NULL"})) << weft_last_error();
  EXPECT_EQ(logprobs, nullptr);
  EXPECT_EQ(weft_logprobs_destroy(nullptr), WEFT_STATUS_OK);
}

}  // namespace
}  // namespace weft::capi_test
