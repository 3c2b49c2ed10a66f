// SPDX-License-Identifier: Apache-2.0
// TensorView's arithmetic on shapes and its printed form.
#include "weft/tensor.h"

#include "src/base/check.h"

namespace weft {

std::string to_string(Device device) {
  if (device.type == DeviceType::cpu) return "cpu";
  return "cuda:" + std::to_string(device.index);
}

TensorView::TensorView(void* data_, DType dtype_, std::initializer_list<int64_t> dims,
                       Device device_)
    : data(data_), dtype(dtype_), device(device_) {
  if (dims.size() > static_cast<size_t>(kMaxDims)) {
    fail(ErrorKind::invalid_argument, "dims", "at most " + std::to_string(kMaxDims) + " dimensions",
         std::to_string(dims.size()));
  }
  for (int64_t size : dims) shape[ndim++] = size;
  int64_t stride = 1;
  for (int i = ndim - 1; i >= 0; --i) {
    strides[i] = stride;
    if (__builtin_mul_overflow(stride, shape[i], &stride)) {
      fail(ErrorKind::invalid_argument, "dims", "a size that fits 63 bits",
           "a product beyond that");
    }
  }
}

int64_t TensorView::numel() const {
  int64_t n = given() ? 1 : 0;
  for (int i = 0; i < ndim; ++i) {
    if (shape[i] == 0) return 0;
    if (__builtin_mul_overflow(n, shape[i], &n)) return INT64_MAX;
  }
  return n;
}

bool TensorView::is_contiguous() const {
  int64_t stride = 1;
  for (int i = ndim - 1; i >= 0; --i) {
    if (shape[i] != 1 && strides[i] != stride) return false;
    if (__builtin_mul_overflow(stride, shape[i], &stride)) return false;
  }
  return true;
}

TensorView TensorView::select(int dim, int64_t index) const {
  check_range("dim", dim, 0, ndim - 1);
  check_range("index", index, 0, shape[dim] - 1);
  TensorView view = slice(dim, index, index + 1);
  for (int i = dim; i + 1 < ndim; ++i) {
    view.shape[i] = shape[i + 1];
    view.strides[i] = strides[i + 1];
  }
  view.ndim = ndim - 1;
  view.shape[view.ndim] = view.strides[view.ndim] = 0;
  return view;
}

TensorView TensorView::slice(int dim, int64_t begin, int64_t end) const {
  check_range("dim", dim, 0, ndim - 1);
  check_range("begin", begin, 0, shape[dim]);
  check_range("end", end, begin, shape[dim]);
  TensorView view = *this;
  view.data = static_cast<char*>(data) + begin * strides[dim] * size_of(dtype);
  view.shape[dim] = end - begin;
  return view;
}

std::string to_string(const TensorView& tensor) {
  if (!tensor.given()) return "nothing";
  const auto list = [&](const std::array<int64_t, kMaxDims>& sizes) {
    std::string text = "[";
    for (int i = 0; i < tensor.ndim; ++i) {
      if (i > 0) text += ", ";
      text += std::to_string(sizes[i]);
    }
    return text + "]";
  };
  std::string text = name_of(tensor.dtype) + list(tensor.shape);
  if (!tensor.is_contiguous()) text += " strides " + list(tensor.strides);
  return text + " on " + to_string(tensor.device);
}

}  // namespace weft
