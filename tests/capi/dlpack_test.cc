// SPDX-License-Identifier: Apache-2.0
// weft_tensor beside DLPack's own header, where it is installed: then it is DLTensor itself, and
// other translation units (which saw ours) understand it. Without it, the layout test stands alone.
#if __has_include(<dlpack/dlpack.h>)
#include <dlpack/dlpack.h>
#endif

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <type_traits>

#include "weft/c_api.h"

namespace {

#ifdef DLPACK_DLPACK_H_

static_assert(std::is_same_v<weft_tensor, DLTensor>);
static_assert(sizeof(DLTensor) == 48 && offsetof(DLTensor, data) == 0 &&
              offsetof(DLTensor, device) == 8 && offsetof(DLTensor, ndim) == 16 &&
              offsetof(DLTensor, dtype) == 20 && offsetof(DLTensor, shape) == 24 &&
              offsetof(DLTensor, strides) == 32 && offsetof(DLTensor, byte_offset) == 40);
static_assert(sizeof(DLDevice) == 8 && sizeof(DLDataType) == 4);
static_assert(int{kDLCPU} == WEFT_DEVICE_CPU && int{kDLCUDA} == WEFT_DEVICE_CUDA &&
              int{kDLCUDAHost} == WEFT_DEVICE_CUDA_HOST);

TEST(Dlpack, ADlTensorIsAWeftTensor) {
  float data[6] = {};
  int64_t shape[2] = {2, 3};
  DLManagedTensor managed = {};
  managed.dl_tensor = {data, {kDLCPU, 0}, 2, {kDLFloat, 32, 1}, shape, nullptr, 0};
  char text[64];
  ASSERT_EQ(weft_tensor_to_string(&managed.dl_tensor, text, sizeof(text), nullptr), WEFT_STATUS_OK)
      << weft_last_error();
  EXPECT_EQ(std::string(text), "f32[2, 3] on cpu");
}

TEST(Dlpack, DtypesHaveItsCodes) {
  EXPECT_EQ(weft_dtype_to_dlpack(WEFT_DTYPE_F16).code, kDLFloat);
  EXPECT_EQ(weft_dtype_to_dlpack(WEFT_DTYPE_BF16).code, kDLBfloat);
  EXPECT_EQ(weft_dtype_to_dlpack(WEFT_DTYPE_I64).code, kDLInt);
  EXPECT_EQ(weft_dtype_to_dlpack(WEFT_DTYPE_U8).code, kDLUInt);
}

#else

TEST(Dlpack, OursHasTheSizesOfTheSpecification) {
  EXPECT_EQ(sizeof(weft_tensor), 48u);
  EXPECT_EQ(sizeof(weft_device), 8u);
  EXPECT_EQ(sizeof(weft_data_type), 4u);
}

#endif

}  // namespace
