// SPDX-License-Identifier: Apache-2.0
// One element of a dense f32, f16 or bf16 array, as a number. Written out here, so that no
// conversion of the library's is trusted by a check of the library.
#pragma once

#include <cstdint>

#include "kernels/core/dtype.h"

namespace weft::cli {

double read_element(const void* data, DType dtype, int64_t index);
/// Rounds to nearest, ties to even. REQUIRES: finite, and within the range of `dtype`.
void write_element(void* data, DType dtype, int64_t index, float value);

}  // namespace weft::cli
