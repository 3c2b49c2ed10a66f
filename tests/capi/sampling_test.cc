// SPDX-License-Identifier: Apache-2.0
// Sampling and topk through the C ABI: what C++ gives, and what is refused.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tests/capi/convert.h"
#include "tests/capi/small_attention.h"
#include "tests/cases/sampling_case.h"
#include "tests/cases/topk_case.h"
#include "weft/c_cuda.h"

namespace weft::capi_test {
namespace {

using cases::bytes_of;

weft_sampling_config to_c(const SamplingConfig& config) {
  weft_sampling_config c;
  weft_sampling_config_init(&c, sizeof(c));
  c.dtype = static_cast<int32_t>(config.dtype);
  c.vocab_size = config.vocab_size;
  c.input = static_cast<int32_t>(config.input);
  c.order = static_cast<int32_t>(config.order);
  return c;
}

weft_sampling_args to_c(const SamplingArgs& args, Tensors& tensors) {
  weft_sampling_args c;
  weft_sampling_args_init(&c, sizeof(c));
  c.input = tensors.add(args.input), c.indices = tensors.add(args.indices);
  c.seed = tensors.add(args.seed), c.offset = tensors.add(args.offset);
  c.temperature = tensors.add(args.temperature), c.top_k = tensors.add(args.top_k);
  c.top_p = tensors.add(args.top_p), c.min_p = tensors.add(args.min_p);
  c.repetition_penalty = tensors.add(args.repetition_penalty);
  c.frequency_penalty = tensors.add(args.frequency_penalty);
  c.presence_penalty = tensors.add(args.presence_penalty);
  c.prompt_mask = tensors.add(args.prompt_mask);
  c.output_counts = tensors.add(args.output_counts);
  c.bias = tensors.add(args.bias), c.allowed = tensors.add(args.allowed);
  c.token = tensors.add(args.token), c.logprob = tensors.add(args.logprob);
  c.status = tensors.add(args.status);
  return c;
}

weft_filter_args to_c(const FilterArgs& args, Tensors& tensors) {
  weft_filter_args c;
  weft_filter_args_init(&c, sizeof(c));
  c.input = tensors.add(args.input), c.temperature = tensors.add(args.temperature);
  c.top_k = tensors.add(args.top_k), c.top_p = tensors.add(args.top_p);
  c.min_p = tensors.add(args.min_p), c.probs = tensors.add(args.probs);
  c.masked = tensors.add(args.masked), c.status = tensors.add(args.status);
  return c;
}

TEST(SamplingInC, GivesWhatCppGives) {
  for (const cases::SamplingCase& sampled : cases::sampling_cases()) {
    if (sampled.vocab > 2000) continue;
    cases::SamplingData data = cases::make_sampling_data(sampled, 9);
    const Sampling op(data.config);
    op.run(data.args);
    if (!sampled.indices) op.filter(data.filter);
    const std::vector<char> token = bytes_of(data.token.buffer);
    const std::vector<char> logprob = bytes_of(data.logprob.buffer);
    const std::vector<char> probs = bytes_of(data.probs.buffer);
    data.token.poison(), data.logprob.poison(), data.probs.poison();
    const weft_sampling_config config = to_c(data.config);
    Tensors tensors;
    const weft_sampling_args args = to_c(data.args, tensors);
    weft_sampling_t sampling = nullptr;
    ASSERT_EQ(weft_sampling_create(&config, nullptr, nullptr, &sampling), WEFT_STATUS_OK);
    EXPECT_EQ(weft_sampling_run(sampling, &args, nullptr), WEFT_STATUS_OK) << weft_last_error();
    if (!sampled.indices) {
      const weft_filter_args filter = to_c(data.filter, tensors);
      EXPECT_EQ(weft_sampling_filter(sampling, &filter, nullptr), WEFT_STATUS_OK);
    }
    EXPECT_EQ(weft_sampling_check(sampling, nullptr), WEFT_STATUS_OK);
    EXPECT_EQ(bytes_of(data.token.buffer), token) << sampled.name;
    EXPECT_EQ(bytes_of(data.logprob.buffer), logprob) << sampled.name;
    EXPECT_EQ(bytes_of(data.probs.buffer), probs) << sampled.name;
    EXPECT_EQ(weft_sampling_destroy(sampling), WEFT_STATUS_OK);
  }
}

TEST(TopkInC, MatchesASort) {
  for (const cases::TopkCase& selected : cases::topk_cases()) {
    const cases::TopkData data = cases::make_topk_data(selected, 9);
    weft_topk_config config;
    weft_topk_config_init(&config, sizeof(config));
    config.dtype = static_cast<int32_t>(data.config.dtype);
    config.max_len = data.config.max_len;
    config.k = data.config.k;
    config.sorted = data.config.sorted;
    config.page_size = data.config.page_size;
    Tensors tensors;
    weft_topk_args args;
    weft_topk_args_init(&args, sizeof(args));
    args.input = tensors.add(data.args.input), args.lengths = tensors.add(data.args.lengths);
    args.row_starts = tensors.add(data.args.row_starts);
    args.page_table = tensors.add(data.args.page_table);
    args.row_to_batch = tensors.add(data.args.row_to_batch);
    args.offsets = tensors.add(data.args.offsets);
    args.indices = tensors.add(data.args.indices), args.values = tensors.add(data.args.values);
    weft_topk_t topk = nullptr;
    ASSERT_EQ(weft_topk_create(&config, nullptr, nullptr, &topk), WEFT_STATUS_OK);
    EXPECT_EQ(weft_topk_run(topk, &args, nullptr), WEFT_STATUS_OK) << weft_last_error();
    EXPECT_EQ(weft_topk_check(topk, nullptr), WEFT_STATUS_OK);
    EXPECT_EQ(cases::compare_topk(data), "") << selected.name;
    EXPECT_EQ(weft_topk_destroy(topk), WEFT_STATUS_OK);
  }
}

TEST(SamplingInC, WhatIsWrongIsNamed) {
  weft_sampling_config config;
  weft_sampling_config_init(&config, sizeof(config));
  weft_sampling_t sampling = nullptr;
  EXPECT_EQ(weft_sampling_create(&config, nullptr, nullptr, &sampling),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"vocab_size: expected", "got 0"})) << weft_last_error();
  config.vocab_size = 100;
  config.order = 2;
  EXPECT_EQ(weft_sampling_create(&config, nullptr, nullptr, &sampling),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"order: expected", "got 2"})) << weft_last_error();
  config.order = 0;
  ASSERT_EQ(weft_sampling_create(&config, nullptr, nullptr, &sampling), WEFT_STATUS_OK);
  weft_sampling_args args;
  weft_sampling_args_init(&args, sizeof(args));
  EXPECT_EQ(weft_sampling_run(sampling, &args, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"input: expected", "got nothing"})) << weft_last_error();
  EXPECT_EQ(weft_sampling_run(sampling, nullptr, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_sampling_run(nullptr, &args, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_sampling_filter(sampling, nullptr, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_sampling_check(nullptr, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_sampling_destroy(sampling), WEFT_STATUS_OK);
  EXPECT_EQ(weft_sampling_create(&config, nullptr, nullptr, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_sampling_create_cuda(&config, nullptr, nullptr, &sampling),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(sampling, nullptr);
  EXPECT_EQ(weft_sampling_destroy(nullptr), WEFT_STATUS_OK);
}

TEST(TopkInC, WhatIsWrongIsNamed) {
  weft_topk_config config;
  weft_topk_config_init(&config, sizeof(config));
  config.max_len = 10;
  weft_topk_t topk = nullptr;
  EXPECT_EQ(weft_topk_create(&config, nullptr, nullptr, &topk), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"k: expected", "got 0"})) << weft_last_error();
  config.k = 3;
  ASSERT_EQ(weft_topk_create(&config, nullptr, nullptr, &topk), WEFT_STATUS_OK);
  EXPECT_EQ(weft_topk_run(topk, nullptr, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_topk_run(nullptr, nullptr, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_topk_check(nullptr, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_topk_destroy(topk), WEFT_STATUS_OK);
  EXPECT_EQ(weft_topk_create_cuda(&config, nullptr, nullptr, &topk), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_topk_destroy(nullptr), WEFT_STATUS_OK);
}

TEST(VerifyInC, TakesWhatTheTargetIsSureOf) {
  float draft[] = {0.5f, 0.5f, 0.0f, 0.5f, 0.5f, 0.0f};
  float target[] = {1, 0, 0, 0, 0, 1, 0, 1, 0};
  int32_t proposed[] = {0, 1}, tokens[3], emitted = 9, accepted = 9;
  int64_t seed = 1;
  uint8_t status = 9;
  weft_verify_config config;
  weft_verify_config_init(&config, sizeof(config));
  config.vocab_size = 3, config.num_draft = 2;
  weft_verify_t verify = nullptr;
  ASSERT_EQ(weft_verify_create(&config, nullptr, nullptr, &verify), WEFT_STATUS_OK);
  Tensors tensors;
  weft_verify_args args;
  weft_verify_args_init(&args, sizeof(args));
  args.draft_probs = tensors.add(TensorView(draft, DType::f32, {1, 2, 3}));
  args.target_probs = tensors.add(TensorView(target, DType::f32, {1, 3, 3}));
  args.draft_tokens = tensors.add(TensorView(proposed, DType::i32, {1, 2}));
  args.seed = tensors.add(TensorView(&seed, DType::i64, {1}));
  args.tokens = tensors.add(TensorView(tokens, DType::i32, {1, 3}));
  args.accepted = tensors.add(TensorView(&accepted, DType::i32, {1}));
  args.emitted = tensors.add(TensorView(&emitted, DType::i32, {1}));
  args.status = tensors.add(TensorView(&status, DType::u8, {1}));
  EXPECT_EQ(weft_verify_run(verify, &args, nullptr), WEFT_STATUS_OK) << weft_last_error();
  EXPECT_EQ(tokens[0], 0);   // the target is sure of it
  EXPECT_EQ(tokens[1], 2);   // sure of another one
  EXPECT_EQ(tokens[2], -1);  // and there it ends
  EXPECT_EQ(emitted, 1);
  EXPECT_EQ(accepted, 1);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(weft_verify_run(verify, nullptr, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_verify_run(nullptr, &args, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_verify_destroy(verify), WEFT_STATUS_OK);
  EXPECT_EQ(weft_verify_create_cuda(&config, nullptr, nullptr, &verify),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"backend", "NULL"})) << weft_last_error();
  EXPECT_EQ(verify, nullptr);
  EXPECT_EQ(weft_verify_create_cuda(&config, nullptr, nullptr, nullptr),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_verify_destroy(nullptr), WEFT_STATUS_OK);
}

}  // namespace
}  // namespace weft::capi_test
