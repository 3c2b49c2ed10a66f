// SPDX-License-Identifier: Apache-2.0
// The checks of check.h and the messages they throw.
#include "src/base/check.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace weft {
namespace {

std::string shape_text(std::initializer_list<int64_t> shape) {
  std::string text = "[";
  for (int64_t size : shape) {
    if (text.size() > 1) text += ", ";
    if (size == kAnySize) {
      text += "any";
    } else if (size < kAnySize) {
      text += ">=" + std::to_string(-2 - size);
    } else {
      text += std::to_string(size);
    }
  }
  return text + "]";
}

bool shape_fits(const TensorView& tensor, std::initializer_list<int64_t> shape) {
  if (tensor.ndim != static_cast<int>(shape.size())) return false;
  int i = 0;
  for (int64_t size : shape) {
    const int64_t got = tensor.shape[i++];
    if (got < 0) return false;
    if (size >= 0 ? got != size : size < kAnySize && got < -2 - size) return false;
  }
  return true;
}

bool strides_are_sound(const TensorView& tensor) {
  for (int i = 0; i < tensor.ndim; ++i) {
    if (tensor.strides[i] < 0) return false;
  }
  const int last = tensor.ndim - 1;
  return last < 0 || tensor.shape[last] <= 1 || tensor.strides[last] == 1;
}

struct Size {
  bool empty;  // no elements
  bool fits;   // see size_of_view
};

// Whether each stride in bytes, the number of elements, and the byte after the last one, counted
// from the first, fit 63 bits: below, products of sizes and strides are then free of overflow.
// REQUIRES: sizes and strides are not negative.
Size size_of_view(const TensorView& tensor) {
  const int64_t most = INT64_MAX / size_of(tensor.dtype);
  int64_t numel = 1, span = 1;
  bool steep = false, wraps = false, empty = false;
  for (int i = 0; i < tensor.ndim; ++i) {
    steep |= tensor.strides[i] > most;  // even where nothing steps by it
    empty |= tensor.shape[i] == 0;
    int64_t reach = 0;
    wraps |= __builtin_mul_overflow(numel, tensor.shape[i], &numel);
    wraps |= __builtin_mul_overflow(tensor.shape[i] - 1, tensor.strides[i], &reach);
    wraps |= __builtin_add_overflow(span, reach, &span);
  }
  const bool counts = !wraps && span <= most && numel <= most;
  return {empty, !steep && (empty || counts)};
}

// Each dimension steps over everything the inner ones span, as nearly all tensors do.
bool is_nested(const TensorView& tensor) {
  int64_t span = 1;
  for (int i = tensor.ndim - 1; i >= 0; --i) {
    if (tensor.shape[i] > 1 && tensor.strides[i] < span) return false;
    span += tensor.strides[i] * (tensor.shape[i] - 1);
  }
  return true;
}

// Sorted by stride, each dimension must step over everything the smaller ones span.
bool is_injective(const TensorView& tensor) {
  if (is_nested(tensor)) return true;
  int order[kMaxDims];
  int n = 0;
  for (int i = 0; i < tensor.ndim; ++i) {
    if (tensor.shape[i] > 1) order[n++] = i;
  }
  for (int i = 1; i < n; ++i) {
    for (int j = i; j > 0 && tensor.strides[order[j]] < tensor.strides[order[j - 1]]; --j) {
      std::swap(order[j], order[j - 1]);
    }
  }
  int64_t span = 1;
  for (int i = 0; i < n; ++i) {
    if (tensor.strides[order[i]] < span) return false;
    span += tensor.strides[order[i]] * (tensor.shape[order[i]] - 1);
  }
  return true;
}

}  // namespace

void fail(ErrorKind kind, const char* argument, const std::string& expected,
          const std::string& got) {
  throw Error(kind, std::string(argument) + ": expected " + expected + ", got " + got);
}

void check_range(const char* argument, int64_t value, int64_t lo, int64_t hi) {
  if (lo <= value && value <= hi) return;
  fail(ErrorKind::invalid_argument, argument,
       std::to_string(lo) + " <= " + argument + " <= " + std::to_string(hi), std::to_string(value));
}

void check_dtype(const char* argument, DType dtype, std::span<const DType> allowed) {
  if (std::find(allowed.begin(), allowed.end(), dtype) != allowed.end()) return;
  std::string names;
  for (size_t i = 0; i < allowed.size(); ++i) {
    names += i == 0 ? "" : i + 1 == allowed.size() ? " or " : ", ";
    names += name_of(allowed[i]);
  }
  fail(ErrorKind::invalid_argument, argument, names, name_of(dtype));
}

void check_scale(const char* argument, float scale) {
  if (std::isfinite(scale) && scale > 0.0f) return;
  fail(ErrorKind::invalid_argument, argument, "a positive finite number", std::to_string(scale));
}

void check_scales(const char* argument, const TensorView& tensor, int64_t count, Device device) {
  check_tensor(argument, tensor, DType::f32, {count}, device);
  if (device.type != DeviceType::cpu) return;
  const float* scales = static_cast<const float*>(tensor.data);
  for (int64_t h = 0; h < count; ++h) {
    if (std::isfinite(scales[h]) && scales[h] > 0.0f) continue;
    fail(ErrorKind::invalid_argument, argument, "a positive finite " + element(argument, h),
         std::to_string(scales[h]));
  }
}

void refuse_given(const char* argument, const TensorView& tensor, const char* why) {
  if (!tensor.given()) return;
  fail(ErrorKind::invalid_argument, argument, std::string("nothing ") + why, to_string(tensor));
}

std::string element(const char* argument, int64_t i) {
  return std::string(argument) + "[" + std::to_string(i) + "]";
}

void check_tensor(const char* argument, const TensorView& tensor, DType dtype,
                  std::initializer_list<int64_t> shape, Device device) {
  const auto refuse = [&](const std::string& expected, const std::string& got) {
    fail(ErrorKind::invalid_argument, argument, expected, got);
  };
  if (!tensor.given()) refuse(std::string(name_of(dtype)) + shape_text(shape), "nothing");
  if (tensor.ndim < 0 || tensor.ndim > kMaxDims) {
    refuse("0 to " + std::to_string(kMaxDims) + " dimensions", std::to_string(tensor.ndim));
  }
  if (tensor.dtype != dtype) refuse(name_of(dtype), name_of(tensor.dtype));
  if (tensor.device != device) refuse("a tensor on " + to_string(device), to_string(tensor));
  if (!shape_fits(tensor, shape)) refuse("shape " + shape_text(shape), to_string(tensor));
  if (!strides_are_sound(tensor)) {
    refuse("non-negative strides and a dense last dimension", to_string(tensor));
  }
  const Size size = size_of_view(tensor);
  if (!size.fits) refuse("a size and a span that fit 63 bits", to_string(tensor));
  if (tensor.data == nullptr && !size.empty) refuse("a data pointer", "null");
  if (reinterpret_cast<uintptr_t>(tensor.data) % static_cast<uintptr_t>(size_of(dtype)) != 0) {
    refuse("data aligned to its " + std::to_string(size_of(dtype)) + "-byte elements",
           "a misaligned pointer");
  }
}

void check_output(const char* argument, const TensorView& tensor, DType dtype,
                  std::initializer_list<int64_t> shape, Device device) {
  check_tensor(argument, tensor, dtype, shape, device);
  if (tensor.numel() > 0 && !is_injective(tensor)) {
    fail(ErrorKind::invalid_argument, argument, "strides under which no two elements overlap",
         to_string(tensor));
  }
}

}  // namespace weft
