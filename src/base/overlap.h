// SPDX-License-Identifier: Apache-2.0
// Whether two strided tensors share memory: outputs must not touch inputs, except exactly in place.
// Knows addresses and strides only; the passing path allocates nothing.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "weft/tensor.h"

namespace weft {

/// An argument and the bytes from its first to its last element.
struct Extent {
  const char* argument;
  const TensorView* tensor;
  uintptr_t begin;
  uintptr_t end;  // begin when the tensor is not given or empty
};

Extent extent_of(const char* argument, const TensorView& tensor);

/// True when some byte may belong to both. Exact when extents are disjoint, or when the tensors
/// share their outer strides (slices of one fused tensor); otherwise on the safe side.
bool may_overlap(const Extent& a, const Extent& b);

/// Same address, dtype and shape, and the same strides wherever a dimension is longer than 1.
bool is_same_view(const TensorView& a, const TensorView& b);

/// Throws Error(invalid_argument) when an output may overlap another of `outputs` or one of
/// `inputs`.
void check_apart(std::initializer_list<Extent> outputs, std::initializer_list<Extent> inputs);

}  // namespace weft
