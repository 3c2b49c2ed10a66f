// SPDX-License-Identifier: Apache-2.0
// Values that cross the C ABI with every operator: tensors, targets, rope forms, executors, text.
// Each conversion checks what only the C side can get wrong; the operators check the rest.
#pragma once

#include <string>

#include "kernels/core/variant.h"
#include "weft/c_api.h"
#include "weft/executor.h"
#include "weft/target.h"
#include "weft/tensor.h"

namespace weft::capi {

/// DLPack to TensorView; NULL to a view that is not given.
TensorView to_view(const char* argument, const weft_tensor* tensor);

DType to_dtype(const char* field, int32_t dtype);
/// {0, 0, 0} for a value outside DType.
weft_data_type dlpack_dtype(int32_t dtype);
DType dtype_from_name(const char* name);

weft_target to_c(const Target& target);
/// NULL = this host.
Target to_target(const weft_target* target);

weft_rope_form to_c(const Rope& rope);
/// NULL = no rotation.
Rope to_rope(const weft_rope_form* form);

/// An Executor and what it points at.
class ExecutorHolder {
 public:
  /// NULL = the defaults. Reads the caller's struct once.
  explicit ExecutorHolder(const weft_executor* executor);
  ExecutorHolder(const ExecutorHolder&) = delete;
  ExecutorHolder& operator=(const ExecutorHolder&) = delete;
  const Executor& get() const { return executor_; }

 private:
  ParallelFor parallel_for_;
  Executor executor_;
};

/// Convention 8: text into the caller's buffer.
void write_text(const std::string& text, char* buffer, size_t capacity, size_t* length);

/// REQUIRES nothing: throws when `pointer`, an out-parameter, is NULL.
void check_out(const char* argument, const void* pointer);

}  // namespace weft::capi
