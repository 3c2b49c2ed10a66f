// SPDX-License-Identifier: Apache-2.0
// See small_attention.h.
#include "tests/capi/small_attention.h"

#include <cstring>

namespace weft::capi_test {

SmallAttention::SmallAttention()
    : data(cases::make_attention_data({.name = "small",
                                       .q = DType::f32,
                                       .kv = DType::f32,
                                       .head_dim = 32,
                                       .requests = {{2, 20}, {1, 7}}},
                                      7)) {
  config = to_c(data.config, form_);
  batch = to_c(data.batch, tensors_);
  args = to_c(data.args, tensors_);
  if (weft_attention_create(&config, nullptr, nullptr, &attention) == WEFT_STATUS_OK) {
    weft_attention_create_plan(attention, nullptr, &plan);
  }
}

SmallAttention::~SmallAttention() {
  weft_attention_plan_destroy(plan);
  weft_attention_destroy(attention);
}

weft_status SmallAttention::step() {
  const weft_status planned = weft_attention_plan(attention, &batch, plan, nullptr);
  if (planned != WEFT_STATUS_OK) return planned;
  return weft_attention_run(attention, plan, &args, nullptr);
}

SmallAttention::Copy::Copy(const weft_tensor& from) : t(from) {
  for (int i = 0; i < from.ndim; ++i) {
    shape[i] = from.shape[i];
    strides[i] = from.strides[i];
  }
  t.shape = shape;
  t.strides = strides;
}

bool last_error_has(std::initializer_list<const char*> parts) {
  for (const char* part : parts) {
    if (std::strstr(weft_last_error(), part) == nullptr) return false;
  }
  return true;
}

}  // namespace weft::capi_test
