// SPDX-License-Identifier: Apache-2.0
// A small attention ready for calls through the C ABI, for tests that then break one thing of it.
#pragma once

#include "tests/capi/convert.h"
#include "tests/cases/attention_data.h"

namespace weft::capi_test {

/// Two requests, pages of 16, f32. All structs point into this object: it does not move.
class SmallAttention {
 public:
  SmallAttention();
  ~SmallAttention();
  SmallAttention(const SmallAttention&) = delete;
  SmallAttention& operator=(const SmallAttention&) = delete;

  /// Plans and runs; WEFT_STATUS_OK unless something was broken.
  weft_status step();
  /// A writable copy of a tensor of `args` or `batch`, and of its shape and strides.
  struct Copy {
    explicit Copy(const weft_tensor& from);
    weft_tensor t;
    int64_t shape[kMaxDims + 1] = {};
    int64_t strides[kMaxDims + 1] = {};
  };

  cases::AttentionData data;
  weft_attention_config config;
  weft_attention_batch batch;
  weft_attention_args args;
  weft_attention_t attention = nullptr;
  weft_attention_plan_t plan = nullptr;

 private:
  weft_rope_form form_;
  Tensors tensors_;
};

/// True when the thread's last error has each of the parts.
bool last_error_has(std::initializer_list<const char*> parts);

}  // namespace weft::capi_test
