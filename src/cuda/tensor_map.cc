// SPDX-License-Identifier: Apache-2.0
// See tensor_map.h.
#include "src/cuda/tensor_map.h"

#include "src/base/check.h"

namespace weft {
namespace {

constexpr int kNoInterleave = 0;
constexpr int kPromote256 = 3;  // L2 sectors fetched together, bytes
constexpr int kFillZero = 0;    // beyond the edges

cu::TensorType type_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return cu::kF32;
    case DType::f16:
      return cu::kF16;
    case DType::bf16:
      return cu::kBf16;
    case DType::i32:
      return cu::kI32;
    case DType::i64:
      return cu::kI64;
    case DType::e4m3:
    case DType::e5m2:
    case DType::u8:
      return cu::kU8;
    case DType::none:
      break;
  }
  fail(ErrorKind::invalid_argument, "dtype", "one of a tensor", name_of(dtype));
}

}  // namespace

TensorMap encode_tensor_map(const cu::Driver& driver, const TensorMapShape& shape) {
  check_range("rank", shape.rank, 1, 5);
  TensorMap map{};
  const std::array<uint32_t, 5> dense{1, 1, 1, 1, 1};
  const cu::Result result = driver.encode_tiled(
      &map, type_of(shape.dtype), static_cast<uint32_t>(shape.rank), const_cast<void*>(shape.data),
      shape.sizes.data(), shape.strides.data() + 1, shape.box.data(), dense.data(), kNoInterleave,
      static_cast<int>(shape.swizzle), kPromote256, kFillZero);
  if (result != cu::kSuccess) {
    std::string text = "rank " + std::to_string(shape.rank);
    for (size_t i = 0; i < static_cast<size_t>(shape.rank); ++i) {
      text += ", size " + std::to_string(shape.sizes[i]) + " stride " +
              std::to_string(i == 0 ? 0 : shape.strides[i]) + " box " +
              std::to_string(shape.box[i]);
    }
    const char* name = nullptr;
    driver.error_name(result, &name);
    text += std::string(": ") + (name != nullptr ? name : "unknown error");
    fail(ErrorKind::invalid_argument, "tensor",
         "data aligned to 16 bytes, strides in multiples of 16, boxes within 256 elements and "
         "the swizzle",
         text);
  }
  return map;
}

}  // namespace weft
