// SPDX-License-Identifier: Apache-2.0
// NULL in every pointer of every function: a status, never a crash, and outputs set to NULL.
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "tests/capi/small_attention.h"
#include "weft/c_activation.h"
#include "weft/c_norm.h"

namespace weft::capi_test {
namespace {

struct Call {
  const char* name;
  std::function<weft_status()> call;
  const char* message;  // part of it
};

void expect_refused(const std::vector<Call>& calls) {
  for (const Call& c : calls) {
    EXPECT_EQ(c.call(), WEFT_STATUS_INVALID_ARGUMENT) << c.name;
    EXPECT_TRUE(last_error_has({c.message, "NULL"})) << c.name << ": " << weft_last_error();
  }
}

TEST(Null, Attention) {
  SmallAttention s;
  weft_attention_t made = nullptr;
  weft_attention_plan_t plan = nullptr;
  size_t length = 0;
  char text[8];
  weft_attention_plan_info info;
  weft_attention_plan_info_init(&info, sizeof(info));
  const weft_target* host = nullptr;
  expect_refused({
      {"create: config", [&] { return weft_attention_create(nullptr, host, nullptr, &made); },
       "config"},
      {"create: out", [&] { return weft_attention_create(&s.config, host, nullptr, nullptr); },
       "attention"},
      {"bytes: handle", [&] { return weft_attention_workspace_bytes(nullptr, &length); },
       "attention"},
      {"bytes: out", [&] { return weft_attention_workspace_bytes(s.attention, nullptr); }, "bytes"},
      {"explain: handle", [&] { return weft_attention_explain(nullptr, text, 8, &length); },
       "attention"},
      {"explain: buffer", [&] { return weft_attention_explain(s.attention, nullptr, 8, &length); },
       "buffer"},
      {"explain: length", [&] { return weft_attention_explain(s.attention, nullptr, 0, nullptr); },
       "length"},
      {"create_plan: handle", [&] { return weft_attention_create_plan(nullptr, nullptr, &plan); },
       "attention"},
      {"create_plan: out",
       [&] { return weft_attention_create_plan(s.attention, nullptr, nullptr); }, "plan"},
      {"info: plan", [&] { return weft_attention_plan_get_info(nullptr, &info); }, "plan"},
      {"info: out", [&] { return weft_attention_plan_get_info(s.plan, nullptr); }, "info"},
      {"plan_explain", [&] { return weft_attention_plan_explain(nullptr, text, 8, &length); },
       "plan"},
      {"plan_explain_json",
       [&] { return weft_attention_plan_explain_json(nullptr, text, 8, &length); }, "plan"},
      {"plan: handle", [&] { return weft_attention_plan(nullptr, &s.batch, s.plan, nullptr); },
       "attention"},
      {"plan: batch", [&] { return weft_attention_plan(s.attention, nullptr, s.plan, nullptr); },
       "batch"},
      {"plan: plan", [&] { return weft_attention_plan(s.attention, &s.batch, nullptr, nullptr); },
       "plan"},
      {"run: handle", [&] { return weft_attention_run(nullptr, s.plan, &s.args, nullptr); },
       "attention"},
      {"run: plan", [&] { return weft_attention_run(s.attention, nullptr, &s.args, nullptr); },
       "plan"},
      {"run: args", [&] { return weft_attention_run(s.attention, s.plan, nullptr, nullptr); },
       "args"},
  });
  EXPECT_EQ(weft_attention_destroy(nullptr), WEFT_STATUS_OK);
  EXPECT_EQ(weft_attention_plan_destroy(nullptr), WEFT_STATUS_OK);
}

TEST(Null, AFailedCreateLeavesNull) {
  SmallAttention s;
  s.config.num_kv_heads = 0;
  weft_attention_t attention = s.attention;
  EXPECT_EQ(weft_attention_create(&s.config, nullptr, nullptr, &attention),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(attention, nullptr);
  unsigned char small = 0;
  int64_t one = 1;
  weft_tensor workspace;
  ASSERT_EQ(weft_tensor_init(&workspace, &small, WEFT_DTYPE_U8, 1, &one), WEFT_STATUS_OK);
  weft_attention_plan_t plan = s.plan;
  EXPECT_NE(weft_attention_create_plan(s.attention, &workspace, &plan), WEFT_STATUS_OK);
  EXPECT_EQ(plan, nullptr);
  EXPECT_TRUE(last_error_has({"workspace"})) << weft_last_error();
}

TEST(Null, RequiredTensors) {
  SmallAttention s;
  const weft_attention_batch batch = s.batch;
  const weft_attention_args args = s.args;
  for (auto field : {&weft_attention_batch::qo_indptr, &weft_attention_batch::kv_indptr,
                     &weft_attention_batch::kv_indices, &weft_attention_batch::last_page_len}) {
    s.batch = batch;
    s.batch.*field = nullptr;
    EXPECT_EQ(s.step(), WEFT_STATUS_INVALID_ARGUMENT);
    EXPECT_TRUE(last_error_has({": expected i32[", "], got nothing"})) << weft_last_error();
  }
  s.batch = batch;
  for (auto field : {&weft_attention_args::q, &weft_attention_args::k, &weft_attention_args::v,
                     &weft_attention_args::o}) {
    s.args = args;
    s.args.*field = nullptr;
    EXPECT_EQ(s.step(), WEFT_STATUS_INVALID_ARGUMENT);
    EXPECT_TRUE(last_error_has({": expected f32[", "], got nothing"})) << weft_last_error();
  }
  s.args = args;
  s.args.lse = nullptr;  // optional
  EXPECT_EQ(s.step(), WEFT_STATUS_OK) << weft_last_error();
}

TEST(Null, Append) {
  weft_append_config config;
  weft_append_config_init(&config, sizeof(config));
  config.num_kv_heads = 1;
  config.head_dim_qk = 16;
  config.page_size = 4;
  weft_append_t append = nullptr;
  ASSERT_EQ(weft_append_create(&config, nullptr, nullptr, &append), WEFT_STATUS_OK)
      << weft_last_error();
  weft_append_args args;
  weft_append_args_init(&args, sizeof(args));
  size_t length = 0;
  weft_append_t other = nullptr;
  expect_refused({
      {"create: config", [&] { return weft_append_create(nullptr, nullptr, nullptr, &other); },
       "config"},
      {"create: out", [&] { return weft_append_create(&config, nullptr, nullptr, nullptr); },
       "append"},
      {"explain", [&] { return weft_append_explain(nullptr, nullptr, 0, &length); }, "append"},
      {"run: handle", [&] { return weft_append_run(nullptr, &args, nullptr); }, "append"},
      {"run: args", [&] { return weft_append_run(append, nullptr, nullptr); }, "args"},
  });
  EXPECT_EQ(weft_append_run(append, &args, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"got nothing"})) << weft_last_error();
  EXPECT_EQ(weft_batch_indices_positions(nullptr, nullptr, nullptr, nullptr),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"append_indptr", "got nothing"})) << weft_last_error();
  EXPECT_EQ(weft_append_destroy(append), WEFT_STATUS_OK);
  EXPECT_EQ(weft_append_destroy(nullptr), WEFT_STATUS_OK);
}

TEST(Null, Merge) {
  weft_merge_config config;
  weft_merge_config_init(&config, sizeof(config));
  config.num_heads = 2;
  config.head_dim = 16;
  weft_merge_t merge = nullptr;
  ASSERT_EQ(weft_merge_create(&config, nullptr, nullptr, &merge), WEFT_STATUS_OK)
      << weft_last_error();
  weft_merge_args args;
  weft_merge_args_init(&args, sizeof(args));
  weft_merge_pair_args pair;
  weft_merge_pair_args_init(&pair, sizeof(pair));
  size_t length = 0;
  weft_merge_t other = nullptr;
  expect_refused({
      {"create: config", [&] { return weft_merge_create(nullptr, nullptr, nullptr, &other); },
       "config"},
      {"create: out", [&] { return weft_merge_create(&config, nullptr, nullptr, nullptr); },
       "merge"},
      {"explain", [&] { return weft_merge_explain(nullptr, nullptr, 0, &length); }, "merge"},
      {"run: handle", [&] { return weft_merge_run(nullptr, &args, nullptr); }, "merge"},
      {"run: args", [&] { return weft_merge_run(merge, nullptr, nullptr); }, "args"},
      {"pair: handle", [&] { return weft_merge_run_pair(nullptr, &pair, nullptr); }, "merge"},
      {"pair: args", [&] { return weft_merge_run_pair(merge, nullptr, nullptr); }, "args"},
  });
  EXPECT_EQ(weft_merge_run(merge, &args, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"got nothing"})) << weft_last_error();
  EXPECT_EQ(weft_merge_run_pair(merge, &pair, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"got nothing"})) << weft_last_error();
  EXPECT_EQ(weft_merge_destroy(merge), WEFT_STATUS_OK);
  EXPECT_EQ(weft_merge_destroy(nullptr), WEFT_STATUS_OK);
}

TEST(Null, Rope) {
  weft_rope_form form;
  weft_rope_form_init(&form, sizeof(form));
  form.mode = WEFT_ROPE_NEOX;
  weft_rope_config config;
  weft_rope_config_init(&config, sizeof(config));
  config.num_qo_heads = 2;
  config.head_dim = 16;
  config.rope = &form;
  weft_rope_t rope = nullptr;
  ASSERT_EQ(weft_rope_create(&config, nullptr, nullptr, &rope), WEFT_STATUS_OK)
      << weft_last_error();
  weft_rope_args args;
  weft_rope_args_init(&args, sizeof(args));
  size_t length = 0;
  weft_rope_t other = nullptr;
  expect_refused({
      {"create: config", [&] { return weft_rope_create(nullptr, nullptr, nullptr, &other); },
       "config"},
      {"create: out", [&] { return weft_rope_create(&config, nullptr, nullptr, nullptr); }, "rope"},
      {"explain", [&] { return weft_rope_explain(nullptr, nullptr, 0, &length); }, "rope"},
      {"run: handle", [&] { return weft_rope_run(nullptr, &args, nullptr); }, "rope"},
      {"run: args", [&] { return weft_rope_run(rope, nullptr, nullptr); }, "args"},
  });
  EXPECT_EQ(weft_rope_run(rope, &args, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"got nothing"})) << weft_last_error();
  config.rope = nullptr;  // a rotation by nothing is no rope
  EXPECT_EQ(weft_rope_create(&config, nullptr, nullptr, &other), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"rope"})) << weft_last_error();
  EXPECT_EQ(weft_rope_destroy(rope), WEFT_STATUS_OK);
  EXPECT_EQ(weft_rope_destroy(nullptr), WEFT_STATUS_OK);
}

TEST(Null, WordsAndTensors) {
  int32_t value = 0;
  size_t length = 0;
  char byte = 0;
  int64_t shape[1] = {1};
  weft_tensor tensor;
  expect_refused({
      {"dtype name", [&] { return weft_dtype_from_name(nullptr, &value); }, "name"},
      {"dtype out", [&] { return weft_dtype_from_name("f32", nullptr); }, "dtype"},
      {"isa name", [&] { return weft_isa_from_name(nullptr, &value); }, "name"},
      {"isa out", [&] { return weft_isa_from_name("avx2", nullptr); }, "isa"},
      {"tensor", [&] { return weft_tensor_init(nullptr, &byte, WEFT_DTYPE_U8, 1, shape); },
       "tensor"},
      {"shape", [&] { return weft_tensor_init(&tensor, &byte, WEFT_DTYPE_U8, 1, nullptr); },
       "tensor"},
  });
  // A NULL target is this host, a NULL tensor is "nothing".
  EXPECT_EQ(weft_target_to_string(nullptr, nullptr, 0, &length), WEFT_STATUS_OK);
  EXPECT_GT(length, 0u);
  EXPECT_EQ(weft_tensor_to_string(nullptr, nullptr, 0, &length), WEFT_STATUS_OK);
  EXPECT_EQ(length, 7u);
}

TEST(Null, NormAndActivation) {
  weft_norm_config norm_config;
  weft_norm_config_init(&norm_config, sizeof(norm_config));
  norm_config.hidden = 16;
  weft_activation_config activation_config;
  weft_activation_config_init(&activation_config, sizeof(activation_config));
  activation_config.hidden = 16;
  weft_norm_t norm = nullptr, other_norm = nullptr;
  weft_activation_t activation = nullptr, other = nullptr;
  ASSERT_EQ(weft_norm_create(&norm_config, nullptr, nullptr, &norm), WEFT_STATUS_OK);
  ASSERT_EQ(weft_activation_create(&activation_config, nullptr, nullptr, &activation),
            WEFT_STATUS_OK);
  weft_norm_args norm_args;
  weft_norm_args_init(&norm_args, sizeof(norm_args));
  weft_activation_args args;
  weft_activation_args_init(&args, sizeof(args));
  size_t length = 0;
  expect_refused({
      {"norm: config", [&] { return weft_norm_create(nullptr, nullptr, nullptr, &other_norm); },
       "config"},
      {"norm: out", [&] { return weft_norm_create(&norm_config, nullptr, nullptr, nullptr); },
       "norm"},
      {"norm: backend",
       [&] { return weft_norm_create_cuda(&norm_config, nullptr, nullptr, &other_norm); },
       "backend"},
      {"norm: explain", [&] { return weft_norm_explain(nullptr, nullptr, 0, &length); }, "norm"},
      {"norm: handle", [&] { return weft_norm_run(nullptr, &norm_args, nullptr); }, "norm"},
      {"norm: args", [&] { return weft_norm_run(norm, nullptr, nullptr); }, "args"},
      {"config", [&] { return weft_activation_create(nullptr, nullptr, nullptr, &other); },
       "config"},
      {"out", [&] { return weft_activation_create(&activation_config, nullptr, nullptr, nullptr); },
       "activation"},
      {"backend",
       [&] { return weft_activation_create_cuda(&activation_config, nullptr, nullptr, &other); },
       "backend"},
      {"explain", [&] { return weft_activation_explain(nullptr, nullptr, 0, &length); },
       "activation"},
      {"handle", [&] { return weft_activation_run(nullptr, &args, nullptr); }, "activation"},
      {"args", [&] { return weft_activation_run(activation, nullptr, nullptr); }, "args"},
  });
  EXPECT_EQ(weft_norm_run(norm, &norm_args, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"x: expected", "got nothing"})) << weft_last_error();
  EXPECT_EQ(weft_activation_run(activation, &args, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_norm_destroy(norm), WEFT_STATUS_OK);
  EXPECT_EQ(weft_norm_destroy(nullptr), WEFT_STATUS_OK);
  EXPECT_EQ(weft_activation_destroy(activation), WEFT_STATUS_OK);
}

}  // namespace
}  // namespace weft::capi_test
