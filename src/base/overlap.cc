// SPDX-License-Identifier: Apache-2.0
// See overlap.h.
#include "src/base/overlap.h"

#include <algorithm>

#include "src/base/check.h"

namespace weft {
namespace {

// Strides in bytes of the dimensions longer than 1, largest first, and the bytes they span.
struct Layout {
  int64_t stride[kMaxDims];
  int64_t shape[kMaxDims];
  int64_t span[kMaxDims + 1];  // of dimensions i and inner ones
  int n = 0;
};

Layout layout_of(const TensorView& tensor) {
  Layout layout;
  const int64_t size = size_of(tensor.dtype);
  for (int d = 0; d < tensor.ndim; ++d) {
    if (tensor.shape[d] <= 1) continue;
    int i = layout.n++;
    const int64_t stride = tensor.strides[d] * size;
    for (; i > 0 && layout.stride[i - 1] < stride; --i) {
      layout.stride[i] = layout.stride[i - 1];
      layout.shape[i] = layout.shape[i - 1];
    }
    layout.stride[i] = stride;
    layout.shape[i] = tensor.shape[d];
  }
  layout.span[layout.n] = size;
  for (int i = layout.n - 1; i >= 0; --i) {
    layout.span[i] = layout.span[i + 1] + layout.stride[i] * (layout.shape[i] - 1);
  }
  return layout;
}

// Dimensions from `i` on, b starting `delta` bytes after a. While both step by the same stride, b's
// rows fall between a's at delta modulo that stride, or reach back into the row before.
bool layouts_meet(const Layout& a, const Layout& b, int i, int64_t delta) {
  if (delta >= a.span[i] || -delta >= b.span[i]) return false;
  if (i >= a.n || i >= b.n || a.stride[i] != b.stride[i] || a.stride[i] == 0) return true;
  const int64_t stride = a.stride[i];
  if (a.span[i + 1] > stride || b.span[i + 1] > stride) return true;
  const int64_t phase = (delta % stride + stride) % stride;
  return layouts_meet(a, b, i + 1, phase) || layouts_meet(a, b, i + 1, phase - stride);
}

bool extents_meet(const Extent& a, const Extent& b) {
  return std::max(a.begin, b.begin) < std::min(a.end, b.end);
}

void refuse_overlap(const Extent& output, const Extent& other) {
  fail(ErrorKind::invalid_argument, output.argument,
       std::string("memory apart from ") + other.argument,
       to_string(*output.tensor) + " overlapping " + to_string(*other.tensor));
}

}  // namespace

Extent extent_of(const char* argument, const TensorView& tensor) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(tensor.data);
  if (tensor.numel() == 0) return {argument, &tensor, begin, begin};
  int64_t last = 1;
  for (int d = 0; d < tensor.ndim; ++d) {
    last += tensor.strides[d] * (tensor.shape[d] - 1);
  }
  return {argument, &tensor, begin, begin + static_cast<uintptr_t>(last * size_of(tensor.dtype))};
}

bool may_overlap(const Extent& a, const Extent& b) {
  return extents_meet(a, b) && layouts_meet(layout_of(*a.tensor), layout_of(*b.tensor), 0,
                                            static_cast<int64_t>(b.begin - a.begin));
}

bool is_same_view(const TensorView& a, const TensorView& b) {
  if (a.data != b.data || a.dtype != b.dtype || a.ndim != b.ndim) return false;
  for (int d = 0; d < a.ndim; ++d) {
    if (a.shape[d] != b.shape[d]) return false;
    if (a.shape[d] > 1 && a.strides[d] != b.strides[d]) return false;
  }
  return true;
}

void check_apart(std::initializer_list<Extent> outputs, std::initializer_list<Extent> inputs) {
  for (auto output = outputs.begin(); output != outputs.end(); ++output) {
    for (auto other = output + 1; other != outputs.end(); ++other) {
      if (extents_meet(*output, *other) && may_overlap(*output, *other))
        refuse_overlap(*output, *other);
    }
    for (const Extent& input : inputs) {
      if (extents_meet(*output, input) && may_overlap(*output, input))
        refuse_overlap(*output, input);
    }
  }
}

}  // namespace weft
