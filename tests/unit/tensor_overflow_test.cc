// SPDX-License-Identifier: Apache-2.0
// Sizes and strides whose products leave 63 bits: refused in words, never wrapped around.
#include <gtest/gtest.h>

#include <string>

#include "src/base/check.h"
#include "weft/tensor.h"

namespace weft {
namespace {

std::string refusal(const TensorView& tensor) {
  try {
    check_output("o", tensor, DType::f32, {kAnySize, kAnySize}, Device{});
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TensorView view(int64_t rows, int64_t stride, int64_t columns) {
  static float memory = 0;
  TensorView t(&memory, DType::f32, {1, 1});
  t.shape = {rows, columns};
  t.strides = {stride, 1};
  return t;
}

TEST(TensorOverflow, SizesAndSpans) {
  constexpr int64_t kHuge = int64_t{1} << 40;
  EXPECT_NE(refusal(view(kHuge, kHuge, 2)).find("fit 63 bits"), std::string::npos);
  EXPECT_NE(refusal(view(kHuge, 0, kHuge)).find("fit 63 bits"), std::string::npos);
  EXPECT_NE(refusal(view(2, INT64_MAX, 2)).find("fit 63 bits"), std::string::npos);
  EXPECT_NE(refusal(view(INT64_MAX, 1, 1)).find("fit 63 bits"), std::string::npos);
  // 2^62 - 1 bytes: as large as anything that is not refused.
  EXPECT_EQ(refusal(view((int64_t{1} << 60) - 1, 1, 1)), "");
  // Nothing in it: sizes do not overflow. A stride in bytes has to fit even where it is not used.
  EXPECT_EQ(refusal(view(0, INT64_MAX / 4, INT64_MAX)), "");
  EXPECT_NE(refusal(view(0, INT64_MAX, 4)).find("fit 63 bits"), std::string::npos);
  EXPECT_NE(refusal(view(1, INT64_MAX / 2, 4)).find("fit 63 bits"), std::string::npos);
  EXPECT_EQ(view(INT64_MAX, 1, 0).numel(), 0);
  EXPECT_EQ(view(kHuge, 1, kHuge).numel(), INT64_MAX);
}

TEST(TensorOverflow, ContiguousViewOfTooMuch) {
  constexpr int64_t kHuge = int64_t{1} << 40;
  EXPECT_THROW(TensorView(static_cast<void*>(nullptr), DType::u8, {kHuge, kHuge}), Error);
  EXPECT_EQ(to_string(view(kHuge, 3, kHuge)),
            "f32[1099511627776, 1099511627776] strides [3, 1] on cpu");
}

}  // namespace
}  // namespace weft
