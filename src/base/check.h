// SPDX-License-Identifier: Apache-2.0
// Argument checks shared by every operator: one place that forms "argument: expected X, got Y".
// The passing path allocates nothing; strings are made only to throw.
#pragma once

#include <initializer_list>
#include <span>
#include <string>

#include "weft/error.h"
#include "weft/target.h"
#include "weft/tensor.h"

namespace weft {

[[noreturn]] void fail(ErrorKind kind, const char* argument, const std::string& expected,
                       const std::string& got);

/// *impl, or invalid_argument when what held it was moved from.
template <class Pointer>
auto& alive(const char* argument, const Pointer& impl) {
  if (impl == nullptr) {
    fail(ErrorKind::invalid_argument, argument, "an object that holds a config",
         "a moved-from one");
  }
  return *impl;
}

/// Throws invalid_argument "argument: expected X, got Y" unless lo <= value <= hi.
void check_range(const char* argument, int64_t value, int64_t lo, int64_t hi);

/// Dtypes that a row-wise operator reads, and those that it writes.
inline constexpr DType kRowInputs[] = {DType::f32, DType::f16, DType::bf16};
inline constexpr DType kRowOutputs[] = {DType::f32, DType::f16, DType::bf16, DType::e4m3,
                                        DType::e5m2};

/// Throws invalid_argument unless `dtype` is one of `allowed`.
void check_dtype(const char* argument, DType dtype, std::span<const DType> allowed);

/// Throws invalid_argument unless `scale` is a positive finite number.
void check_scale(const char* argument, float scale);

/// f32 [count] on `device`; each a positive finite number, where the host can read them.
void check_scales(const char* argument, const TensorView& tensor, int64_t count, Device device);

/// Throws invalid_argument when `tensor` is given: nothing may be, for the reason `why`.
void refuse_given(const char* argument, const TensorView& tensor, const char* why);

/// "positions[5]".
std::string element(const char* argument, int64_t i);

/// Where the tensors of a run on `target` lie.
inline Device device_of(const Target& target) { return {target.device, target.device_index}; }

/// Elements of a tensor whose dtype was checked; null of one that is not given.
template <class T>
const T* data_of(const TensorView& tensor) {
  return static_cast<const T*>(tensor.data);
}

/// A dimension of any size in check_tensor's shape.
inline constexpr int64_t kAnySize = -1;

/// Size of dimension i: kAnySize, or at least `-2 - size` when encoded by at_least.
constexpr int64_t at_least(int64_t size) { return -2 - size; }

/// Checks that `tensor` is given, on `device`, of `dtype`, of the shape (kAnySize, at_least(n) or
/// an exact size per dimension), aligned to its element, with non-negative strides and a dense last
/// dimension.
void check_tensor(const char* argument, const TensorView& tensor, DType dtype,
                  std::initializer_list<int64_t> shape, Device device);

/// check_tensor of a tensor that need not be given.
inline void check_optional(const char* argument, const TensorView& tensor, DType dtype,
                           std::initializer_list<int64_t> shape, Device device) {
  if (tensor.given()) check_tensor(argument, tensor, dtype, shape, device);
}

/// check_tensor, and no two elements of the tensor share memory: for outputs.
void check_output(const char* argument, const TensorView& tensor, DType dtype,
                  std::initializer_list<int64_t> shape, Device device);

}  // namespace weft
