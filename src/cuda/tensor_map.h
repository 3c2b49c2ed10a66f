// SPDX-License-Identifier: Apache-2.0
// Encodes tensor maps for the bulk copy engine, in prepare. Pure but for the driver's encoder.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/core/tensor_map.h"
#include "src/cuda/driver.h"
#include "weft/tensor.h"

namespace weft {

/// How a box's rows are spread over shared-memory banks; the row is as wide, or narrower.
enum class Swizzle : int { none = 0, b32 = 1, b64 = 2, b128 = 3 };

/// A tensor in copy-engine terms: dimension 0 is dense and fastest.
struct TensorMapShape {
  const void* data = nullptr;  // 16-byte aligned
  DType dtype = DType::none;
  int rank = 0;  // 1..5
  std::array<uint64_t, 5> sizes{};
  std::array<uint64_t, 5> strides{};  // bytes; [0] is not read, the others multiples of 16
  std::array<uint32_t, 5> box{};      // elements copied at once, 1..256
  Swizzle swizzle = Swizzle::none;
};

/// Throws Error(invalid_argument) when the engine cannot address the tensor so.
/// REQUIRES: a context is current.
TensorMap encode_tensor_map(const cu::Driver& driver, const TensorMapShape& shape);

}  // namespace weft
