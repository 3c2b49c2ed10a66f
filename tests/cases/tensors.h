// SPDX-License-Identifier: Apache-2.0
// Tensors with memory of their own for the tests of the small operators, and the comparison of one
// rounded element with its exact value. Free of any test framework.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/cases/buffers.h"
#include "tests/cases/random.h"
#include "weft/tensor.h"

namespace weft::cases {

/// A tensor and the fenced, poisoned memory it lies in. `pad` elements part its rows at every level
/// and make it start on an odd element.
struct OwnedTensor {
  OwnedTensor() = default;
  OwnedTensor(DType dtype, const std::vector<int64_t>& shape, int64_t pad = 0);

  Buffer buffer;
  TensorView view;

  /// Every byte back to kPoisonByte.
  void poison() { buffer.fill(kPoisonByte); }
  /// Copies memory and view: a tensor of the same content elsewhere.
  OwnedTensor clone() const;
};

/// Fills the elements with normal numbers times `magnitude`, and leaves the padding as it is.
void fill_normal(const TensorView& tensor, Random& random, double magnitude = 1.0);

/// Calls visit(address, n) for each element in row-major order.
template <class F>
void for_each_element(const TensorView& t, F&& visit) {
  std::array<int64_t, kMaxDims> index{};
  const int64_t count = t.numel();
  for (int64_t n = 0; n < count; ++n) {
    int64_t at = 0;
    for (size_t d = 0; d < static_cast<size_t>(t.ndim); ++d) at += index[d] * t.strides[d];
    visit(static_cast<char*>(t.data) + at * size_of(t.dtype), n);
    for (size_t d = static_cast<size_t>(t.ndim); d-- > 0;) {
      if (++index[d] < t.shape[d]) break;
      index[d] = 0;
    }
  }
}

/// Empty when the element at `data` is what rounding some number within `error` of `exact` to
/// `dtype` gives (any NaN for a NaN); else the two numbers.
std::string compare_rounded(const void* data, DType dtype, double exact, double error);

/// Bytes of a buffer, for comparisons bit for bit.
inline std::vector<char> bytes_of(const Buffer& b) { return {b.data(), b.data() + b.size()}; }
std::vector<char> bytes_of(const std::vector<OwnedTensor>& tensors);

/// Empty, or the first byte written outside of a poisoned tensor of `tensors`.
std::string find_stray_write(const std::vector<OwnedTensor>& tensors);

}  // namespace weft::cases
