// SPDX-License-Identifier: Apache-2.0
// Number formats of the oracle: any element of any tensor as a double, and back with one rounding.
// Used by every file of this room and by tests that build inputs; shares no code with the library.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "weft/tensor.h"

namespace weft::oracle {

/// Bytes of one element.
int bytes_of(DType dtype);

/// Element `index` of a dense array of `dtype`.
double decode(const void* data, DType dtype, int64_t index);

/// Stores `value` rounded once, to nearest, ties to even. Beyond the largest finite value f32, f16
/// and bf16 become infinite; e4m3 and e5m2 saturate.
void encode(void* data, DType dtype, int64_t index, double value);

/// `value` after a round trip through `dtype`.
double rounded(DType dtype, double value);

/// Largest relative error of one rounding to `dtype` (normal numbers): 2^-(significand bits).
double unit_roundoff(DType dtype);

/// Spacing of the smallest numbers of `dtype`.
double smallest(DType dtype);

/// Byte address of an element: data + sum(index * stride) * size.
char* address(const TensorView& tensor, std::initializer_list<int64_t> index);

double at(const TensorView& tensor, std::initializer_list<int64_t> index);
/// Element of an i32 or i64 tensor of one dimension.
int64_t int_at(const TensorView& tensor, int64_t index);

}  // namespace weft::oracle
