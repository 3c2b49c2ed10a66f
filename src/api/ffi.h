// SPDX-License-Identifier: Apache-2.0
// The values of a packed call, and the call. Filled by ffi.cc's callers: tvm-ffi, which packs them
// itself, and ffi_python.cc.
#pragma once

#include "weft/c_ffi.h"

namespace weft::capi {

// TVMFFIAny and its type indices, which tvm-ffi keeps stable within 0.1.
struct Value {
  int32_t type;
  uint32_t padding;
  union {
    int64_t i64;
    double f64;
    void* pointer;
  };
};
static_assert(sizeof(Value) == 16);
enum : int32_t { kNone = 0, kInt = 1, kBool = 2, kFloat = 3, kOpaque = 4, kDLTensor = 7 };

/// The status of the call; values are those of weft_ffi_call.
weft_status call_packed(const Value* values, int32_t num_args) noexcept;

}  // namespace weft::capi
