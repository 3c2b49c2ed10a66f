// SPDX-License-Identifier: Apache-2.0
// Rows of the shared case tables through the C ABI: the same bits as through the C++ API, so that
// every field of every struct is seen to arrive. And values outside of an enum or a boolean.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/capi/small_attention.h"
#include "tests/cases/run_case.h"

namespace weft::capi_test {
namespace {

std::string run_in_c(cases::AttentionData& data, const Target& host) {
  weft_rope_form form;
  Tensors tensors;
  const weft_attention_config config = to_c(data.config, form);
  const weft_attention_batch batch = to_c(data.batch, tensors);
  const weft_attention_args args = to_c(data.args, tensors);
  const weft_target target = to_c(host);
  weft_attention_t attention = nullptr;
  weft_attention_plan_t plan = nullptr;
  weft_status status = weft_attention_create(&config, &target, nullptr, &attention);
  if (status == WEFT_STATUS_OK) status = weft_attention_create_plan(attention, nullptr, &plan);
  if (status == WEFT_STATUS_OK) status = weft_attention_plan(attention, &batch, plan, nullptr);
  if (status == WEFT_STATUS_OK) status = weft_attention_run(attention, plan, &args, nullptr);
  const std::string wrong = status == WEFT_STATUS_OK ? "" : weft_last_error();
  weft_attention_plan_destroy(plan);
  weft_attention_destroy(attention);
  return wrong;
}

void check_table(const std::vector<cases::AttentionCase>& table) {
  const Target host = Target::host();
  for (const cases::AttentionCase& row : table) {
    SCOPED_TRACE(row.name);
    cases::AttentionData data = cases::make_attention_data(row, 3);
    cases::Runner runner(data.config, host);
    runner.plan(data.batch);
    runner.run(data);
    const std::vector<char> in_cpp = cases::output_bits(data);
    data.poison_outputs();
    ASSERT_EQ(run_in_c(data, host), "");
    EXPECT_EQ(cases::output_bits(data), in_cpp);
  }
}

TEST(AttentionInC, Masks) { check_table(cases::mask_cases()); }
TEST(AttentionInC, Values) { check_table(cases::value_cases()); }
TEST(AttentionInC, Rope) { check_table(cases::rope_cases()); }
TEST(AttentionInC, Ragged) { check_table(cases::ragged_cases()); }
TEST(AttentionInC, Schedules) { check_table(cases::schedule_cases()); }

struct BadField {
  const char* name;
  int32_t weft_attention_config::*field;
  int32_t value;
};

TEST(AttentionInC, ValuesOutsideTheirListAreRefused) {
  using Config = weft_attention_config;
  const BadField rows[] = {
      {"dtype_q", &Config::dtype_q, -1},
      {"dtype_q", &Config::dtype_q, 9},
      {"dtype_kv", &Config::dtype_kv, INT32_MAX},
      {"dtype_o", &Config::dtype_o, INT32_MIN},
      {"kv_layout", &Config::kv_layout, 2},
      {"kv_layout", &Config::kv_layout, -1},
      {"mask", &Config::mask, 4},
      {"schedule", &Config::schedule, 2},
      {"checked", &Config::checked, 2},
      {"checked", &Config::checked, -1},
      {"dtype_q", &Config::dtype_q, WEFT_DTYPE_U8},
      {"dtype_q", &Config::dtype_q, WEFT_DTYPE_NONE},
      {"num_qo_heads", &Config::num_qo_heads, 0},
      {"num_kv_heads", &Config::num_kv_heads, -1},
      {"head_dim_qk", &Config::head_dim_qk, INT32_MAX},
      {"head_dim_vo", &Config::head_dim_vo, -8},
      {"page_size", &Config::page_size, -1},
      {"split_kv", &Config::split_kv, -1},
      {"window_left", &Config::window_left, -2},
      {"max_batch_size", &Config::max_batch_size, 0},
      {"max_nnz_qo", &Config::max_nnz_qo, INT32_MAX},
  };
  for (const BadField& row : rows) {
    SmallAttention small;
    small.config.*row.field = row.value;
    weft_attention_t made = nullptr;
    EXPECT_EQ(weft_attention_create(&small.config, nullptr, nullptr, &made),
              WEFT_STATUS_INVALID_ARGUMENT)
        << row.name << " " << row.value;
    EXPECT_EQ(made, nullptr);
    EXPECT_EQ(std::string(weft_last_error()).find(std::string(row.name) + ": expected "), 0u)
        << weft_last_error();
  }
  SmallAttention small;
  small.args.lse_base2 = 2;
  EXPECT_EQ(small.step(), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"lse_base2: expected 0 <= lse_base2 <= 1, got 2"}))
      << weft_last_error();
}

TEST(AttentionInC, RopeFormsOutsideTheirListAreRefused) {
  SmallAttention small;
  weft_rope_form form;
  weft_attention_t made = nullptr;
  ASSERT_EQ(weft_rope_form_init(&form, sizeof(form)), WEFT_STATUS_OK);
  small.config.rope = &form;
  form.mode = 3;
  EXPECT_EQ(weft_attention_create(&small.config, nullptr, nullptr, &made),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"rope.mode: expected", "got 3"})) << weft_last_error();
  form.mode = WEFT_ROPE_NEOX;
  form.llama31 = 5;
  EXPECT_EQ(weft_attention_create(&small.config, nullptr, nullptr, &made),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"rope.llama31: expected", "got 5"})) << weft_last_error();
  form.struct_size = 0;
  EXPECT_EQ(weft_attention_create(&small.config, nullptr, nullptr, &made),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"rope.struct_size"})) << weft_last_error();
}

TEST(AttentionInC, TargetsOutsideTheirListAreRefused) {
  SmallAttention small;
  weft_attention_t made = nullptr;
  struct Row {
    const char* name;
    int32_t weft_target::*field;
    int32_t value;
  };
  const Row rows[] = {{"target.device_type", &weft_target::device_type, 0},
                      {"target.device_type", &weft_target::device_type, WEFT_DEVICE_CUDA_HOST},
                      {"target.isa", &weft_target::isa, -1},
                      {"target.isa", &weft_target::isa, 5},
                      {"target.fast_bf16", &weft_target::fast_bf16, 2},
                      {"target.num_threads", &weft_target::num_threads, 0},
                      {"target.num_threads", &weft_target::num_threads, INT32_MAX},
                      {"target.num_workers", &weft_target::num_workers, 0},
                      {"target.num_workers", &weft_target::num_workers, INT32_MAX}};
  for (const Row& row : rows) {
    weft_target target;
    ASSERT_EQ(weft_target_host(&target, sizeof(target)), WEFT_STATUS_OK);
    target.*row.field = row.value;
    EXPECT_EQ(weft_attention_create(&small.config, &target, nullptr, &made),
              WEFT_STATUS_INVALID_ARGUMENT)
        << row.name << " " << row.value;
    EXPECT_EQ(std::string(weft_last_error()).find(std::string(row.name) + ": expected "), 0u)
        << weft_last_error();
  }
  weft_target target;
  ASSERT_EQ(weft_target_h200(&target, sizeof(target)), WEFT_STATUS_OK);
  EXPECT_EQ(weft_attention_create(&small.config, &target, nullptr, &made), WEFT_STATUS_UNSUPPORTED);
  EXPECT_TRUE(last_error_has({"target.device: expected cpu"})) << weft_last_error();
}

}  // namespace
}  // namespace weft::capi_test
