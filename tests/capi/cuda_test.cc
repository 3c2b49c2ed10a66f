// SPDX-License-Identifier: Apache-2.0
// GPU backends through the C ABI: on a machine without a GPU what is said of that, on one with a
// GPU a plan and a run of the same bits as through C++.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "tests/capi/small_attention.h"
#include "tests/gpu/attention_gpu.h"
#include "weft/c_cuda.h"

namespace weft::capi_test {
namespace {

std::string text_of(weft_status (*call)(weft_attention_plan_t, char*, size_t, size_t*),
                    weft_attention_plan_t plan) {
  char buffer[512] = {};
  EXPECT_EQ(call(plan, buffer, sizeof(buffer), nullptr), WEFT_STATUS_OK) << weft_last_error();
  return buffer;
}

TEST(CudaBackendC, WrongArgumentsAreAStatus) {
  weft_cuda_backend_t backend = nullptr;
  weft_cuda_options options;
  ASSERT_EQ(weft_cuda_options_init(&options, sizeof(options)), WEFT_STATUS_OK);
  options.num_bundles = 1;
  EXPECT_EQ(weft_cuda_backend_create(0, &options, nullptr, &backend), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"bundles", "NULL"})) << weft_last_error();
  EXPECT_EQ(backend, nullptr);
  EXPECT_EQ(weft_cuda_backend_create(0, nullptr, nullptr, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_cuda_num_devices(nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_cuda_backend_destroy(nullptr), WEFT_STATUS_OK);
  const SmallAttention s;
  weft_attention_t attention = s.attention;
  EXPECT_EQ(weft_attention_create_cuda(&s.config, nullptr, nullptr, &attention),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"backend", "NULL"})) << weft_last_error();
  EXPECT_EQ(attention, nullptr);
  EXPECT_EQ(weft_attention_plan_status(nullptr, nullptr, 0, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
}

TEST(CudaBackendC, OtherOperatorsAskForABackendToo) {
  weft_append_t append = nullptr;
  weft_merge_t merge = nullptr;
  weft_rope_t rope = nullptr;
  EXPECT_EQ(weft_append_create_cuda(nullptr, nullptr, nullptr, &append),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_merge_create_cuda(nullptr, nullptr, nullptr, &merge),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_rope_create_cuda(nullptr, nullptr, nullptr, nullptr),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_rope_create_cuda(nullptr, nullptr, nullptr, &rope), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"backend", "NULL"})) << weft_last_error();
  EXPECT_EQ(weft_append_check(nullptr, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_rope_check(nullptr, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  weft_rope_config config;
  ASSERT_EQ(weft_rope_config_init(&config, sizeof(config)), WEFT_STATUS_OK);
  weft_rope_form form;
  ASSERT_EQ(weft_rope_form_init(&form, sizeof(form)), WEFT_STATUS_OK);
  form.mode = WEFT_ROPE_NEOX;
  config.rope = &form;
  config.num_qo_heads = 1;
  config.head_dim = 8;
  ASSERT_EQ(weft_rope_create(&config, nullptr, nullptr, &rope), WEFT_STATUS_OK);
  EXPECT_EQ(weft_rope_check(rope, nullptr), WEFT_STATUS_OK);
  EXPECT_EQ(weft_rope_destroy(rope), WEFT_STATUS_OK);
}

TEST(CudaBackendC, APlanOnTheHostHasNoStatus) {
  SmallAttention s;
  ASSERT_EQ(s.step(), WEFT_STATUS_OK);
  EXPECT_EQ(text_of(weft_attention_plan_status, s.plan), "");
}

TEST(CudaBackendC, WithoutADeviceCreateSaysWhatIsMissing) {
  int32_t count = -1;
  ASSERT_EQ(weft_cuda_num_devices(&count), WEFT_STATUS_OK);
  if (count > 0) GTEST_SKIP() << "there is a GPU";
  weft_cuda_backend_t backend = nullptr;
  EXPECT_EQ(weft_cuda_backend_create(0, nullptr, nullptr, &backend), WEFT_STATUS_DEVICE);
  EXPECT_NE(std::string(weft_last_error()), "");
  EXPECT_EQ(backend, nullptr);
}

cases::AttentionCase on_gpu() {
  cases::AttentionCase c{.name = "c_abi"};
  c.requests = {{1, 300}, {3, 40}};
  return c;
}

// The bits that C++ computes on the GPU.
std::vector<char> bits_through_cpp() {
  cases::AttentionData data = cases::make_attention_data(on_gpu(), 1);
  test::GpuRunner runner(*test::gpu_backend(), data);
  runner.mirror().poison_outputs();
  runner.plan();
  runner.run();
  runner.finish();
  return cases::output_bits(data);
}

TEST(CudaBackendC, RunsOnAGpuWithTheBitsOfCpp) {
  if (test::gpu_backend() == nullptr) GTEST_SKIP() << "no GPU: " << test::no_gpu_reason();
  cases::AttentionData data = cases::make_attention_data(on_gpu(), 1);
  test::DeviceMirror mirror(test::gpu_backend()->state().device, data);
  mirror.poison_outputs();
  weft_cuda_backend_t backend = nullptr;
  ASSERT_EQ(weft_cuda_backend_create(0, nullptr, nullptr, &backend), WEFT_STATUS_OK)
      << weft_last_error();
  char name[128] = {};
  ASSERT_EQ(weft_cuda_backend_name(backend, name, sizeof(name), nullptr), WEFT_STATUS_OK);
  EXPECT_NE(std::string(name), "");
  weft_target target;
  ASSERT_EQ(weft_cuda_backend_target(backend, &target, sizeof(target)), WEFT_STATUS_OK);
  EXPECT_EQ(target.device_type, WEFT_DEVICE_CUDA);

  Tensors tensors;
  weft_rope_form form;
  const weft_attention_config config = to_c(data.config, form);
  const weft_attention_batch batch = to_c(mirror.batch(), tensors);
  const weft_attention_args args = to_c(mirror.args(), tensors);
  weft_attention_t attention = nullptr;
  ASSERT_EQ(weft_attention_create_cuda(&config, backend, nullptr, &attention), WEFT_STATUS_OK)
      << weft_last_error();
  EXPECT_EQ(weft_cuda_backend_destroy(backend), WEFT_STATUS_OK);
  weft_attention_plan_t plan = nullptr;
  ASSERT_EQ(weft_attention_create_plan(attention, nullptr, &plan), WEFT_STATUS_OK);
  ASSERT_EQ(weft_attention_plan(attention, &batch, plan, nullptr), WEFT_STATUS_OK)
      << weft_last_error();
  ASSERT_EQ(weft_attention_run(attention, plan, &args, nullptr), WEFT_STATUS_OK)
      << weft_last_error();
  EXPECT_EQ(text_of(weft_attention_plan_status, plan), "");  // waits
  mirror.download_outputs();
  EXPECT_EQ(cases::output_bits(data), bits_through_cpp());
  EXPECT_EQ(weft_attention_plan_destroy(plan), WEFT_STATUS_OK);
  EXPECT_EQ(weft_attention_destroy(attention), WEFT_STATUS_OK);
}

}  // namespace
}  // namespace weft::capi_test
