// SPDX-License-Identifier: Apache-2.0
// The row-wise operators on a GPU through the C ABI: made by weft_*_create_cuda, run on tensors
// there, right by the comparisons of C++. Skipped without a device; what is refused is in
// cuda_test.cc.
#include <gtest/gtest.h>

#include "tests/capi/convert.h"
#include "tests/cases/append_case.h"
#include "tests/cases/merge_case.h"
#include "tests/cases/rope_case.h"
#include "tests/gpu/backend.h"
#include "tests/gpu/buffer_mirror.h"
#include "weft/c_cuda.h"

namespace weft::capi_test {
namespace {

class OperatorsInCOnGpu : public test::BackendTest {
 protected:
  void SetUp() override {
    BackendTest::SetUp();
    if (IsSkipped()) return;
    ASSERT_EQ(weft_cuda_backend_create(0, nullptr, nullptr, &backend_in_c_), WEFT_STATUS_OK)
        << weft_last_error();
    weft_executor_init(&executor_in_c_, sizeof(executor_in_c_));
    executor_in_c_.stream = stream();
  }
  void TearDown() override { EXPECT_EQ(weft_cuda_backend_destroy(backend_in_c_), WEFT_STATUS_OK); }

  static void ok(weft_status status) { ASSERT_EQ(status, WEFT_STATUS_OK) << weft_last_error(); }

  weft_cuda_backend_t backend_in_c_ = nullptr;
  weft_executor executor_in_c_{};
  weft_rope_form form_{};
  Tensors tensors_;
};

TEST_F(OperatorsInCOnGpu, Rope) {
  const cases::RopeCase c = cases::rotation_cases().front();
  cases::RopeData data = cases::make_rope_data(c, 1);
  cases::restore_outputs(c, data);
  test::BufferMirror mirror(device(), stream());
  for (const auto* t : {&data.q, &data.k, &data.q_out, &data.k_out, &data.cache}) {
    mirror.add(t->buffer);
  }
  mirror.add(data.owners);
  const weft_rope_config config = to_c(data.config, form_);
  const weft_rope_args args = to_c(mirror.args(data.args), tensors_);
  weft_rope_t rope = nullptr;
  ok(weft_rope_create_cuda(&config, backend_in_c_, nullptr, &rope));
  ok(weft_rope_run(rope, &args, &executor_in_c_));
  ok(weft_rope_check(rope, &executor_in_c_));
  EXPECT_EQ(mirror.download(), "");
  EXPECT_EQ(cases::compare_rope(data), "") << c.name;
  ok(weft_rope_destroy(rope));
}

TEST_F(OperatorsInCOnGpu, Append) {
  const cases::AppendCase c = cases::append_cases().front();
  cases::AppendData data = cases::make_append_data(c, 1);
  cases::restore_outputs(c, data);
  test::BufferMirror mirror(device(), stream());
  for (const auto* t :
       {&data.k, &data.v, &data.q, &data.q_out, &data.rope_cache, &data.k_weight, &data.q_weight}) {
    mirror.add(t->buffer);
  }
  mirror.add({data.cache_memory, data.v_cache_memory});
  mirror.add(data.owners);
  const weft_append_config config = to_c(data.config, form_);
  const weft_append_args args = to_c(mirror.args(data.args), tensors_);
  weft_append_t append = nullptr;
  ok(weft_append_create_cuda(&config, backend_in_c_, nullptr, &append));
  ok(weft_append_run(append, &args, &executor_in_c_));
  ok(weft_append_check(append, &executor_in_c_));
  EXPECT_EQ(mirror.download(), "");
  EXPECT_EQ(cases::compare_append(data), "") << c.name;
  ok(weft_append_destroy(append));
}

TEST_F(OperatorsInCOnGpu, Merge) {
  const cases::MergeCase c = cases::merge_cases().front();
  const cases::MergeData data = cases::make_merge_data(c, 1);
  test::BufferMirror mirror(device(), stream());
  for (const auto* t : {&data.o_in, &data.lse_in, &data.o, &data.lse}) mirror.add(t->buffer);
  const weft_merge_config config = to_c(data.config);
  const weft_merge_args args = to_c(mirror.args(data.args), tensors_);
  weft_merge_t merge = nullptr;
  ok(weft_merge_create_cuda(&config, backend_in_c_, nullptr, &merge));
  ok(weft_merge_run(merge, &args, &executor_in_c_));
  EXPECT_EQ(mirror.download(), "");
  EXPECT_EQ(cases::compare_merge_exactly(c, data), "") << c.name;
  ok(weft_merge_destroy(merge));
}

}  // namespace
}  // namespace weft::capi_test
