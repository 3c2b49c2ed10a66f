// SPDX-License-Identifier: Apache-2.0
// DLPack tensors that break the contract: each gets a message with argument, expected and got, and
// nothing is written. And the forms of a right tensor: byte_offset, no strides, pinned memory.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/capi/small_attention.h"

namespace weft::capi_test {
namespace {

using Copy = SmallAttention::Copy;

struct BadTensor {
  const char* name;
  void (*spoil)(Copy& copy);
  std::vector<const char*> message;
};

const std::vector<BadTensor>& bad_tensors() {
  static const std::vector<BadTensor> rows = {
      {"dtype code", [](Copy& c) { c.t.dtype.code = 77; }, {"DLPack dtype among", "code 77"}},
      {"dtype complex", [](Copy& c) { c.t.dtype.code = 5; }, {"DLPack dtype among", "code 5"}},
      {"dtype bool",
       [](Copy& c) {
         c.t.dtype = {6, 8, 1};
       },
       {"DLPack dtype among", "code 6"}},
      {"fp8 fnuz",
       [](Copy& c) {
         c.t.dtype = {11, 8, 1};
       },
       {"DLPack dtype among", "code 11"}},
      {"bits", [](Copy& c) { c.t.dtype.bits = 64; }, {"DLPack dtype among", "64 bits"}},
      {"lanes 0", [](Copy& c) { c.t.dtype.lanes = 0; }, {"of 1 lane", "0 lanes"}},
      {"lanes 4", [](Copy& c) { c.t.dtype.lanes = 4; }, {"of 1 lane", "4 lanes"}},
      {"another dtype",
       [](Copy& c) {
         c.t.dtype = {4, 16, 1};
       },
       {"expected f32", "got bf16"}},
      {"ndim -1", [](Copy& c) { c.t.ndim = -1; }, {"0 to 6 dimensions", "got -1"}},
      {"ndim 7", [](Copy& c) { c.t.ndim = 7; }, {"0 to 6 dimensions", "got 7"}},
      {"ndim 2^31-1", [](Copy& c) { c.t.ndim = INT32_MAX; }, {"0 to 6", "got 2147483647"}},
      {"ndim 2", [](Copy& c) { c.t.ndim = 2; }, {"expected shape [>=3, 4, 32]", "f32["}},
      {"shape null", [](Copy& c) { c.t.shape = nullptr; }, {"expected a shape", "NULL"}},
      {"negative size", [](Copy& c) { c.shape[1] = -4; }, {"sizes >= 0", "-4 in dimension 1"}},
      {"a size too small",
       [](Copy& c) { c.shape[0] = 2; },
       {"shape [>=3, 4, 32]", "f32[2, 4, 32]"}},
      {"a head too many", [](Copy& c) { c.shape[1] = 5; }, {"shape [>=3, 4, 32]", "f32[3, 5, 32]"}},
      {"null data", [](Copy& c) { c.t.data = nullptr; }, {"a data pointer", "null"}},
      {"null data, offset",
       [](Copy& c) { c.t.data = nullptr, c.t.byte_offset = 64; },
       {"byte_offset 0 with null data"}},
      {"offset misaligned", [](Copy& c) { c.t.byte_offset = 2; }, {"4-byte elements"}},
      {"offset wraps", [](Copy& c) { c.t.byte_offset = UINT64_MAX - 3; }, {"address space"}},
      {"device unknown", [](Copy& c) { c.t.device.device_type = 9; }, {"cpu 1, cuda 2", "got 9"}},
      {"device cuda",
       [](Copy& c) { c.t.device.device_type = WEFT_DEVICE_CUDA; },
       {"a tensor on cpu", "on cuda:0"}},
      {"last dimension strided", [](Copy& c) { c.strides[2] = 2; }, {"dense last dimension"}},
      {"negative stride", [](Copy& c) { c.strides[0] = -128; }, {"non-negative strides"}},
      {"size beyond 63 bits",
       [](Copy& c) { c.shape[0] = int64_t{1} << 62, c.t.strides = nullptr; },
       {"63 bits"}},
      {"span beyond 63 bits",
       [](Copy& c) { c.shape[0] = int64_t{1} << 32, c.strides[0] = int64_t{1} << 32; },
       {"63 bits"}},
      {"stride 2^63-1", [](Copy& c) { c.strides[0] = INT64_MAX; }, {"63 bits"}},
  };
  return rows;
}

bool outputs_untouched(const SmallAttention& small) {
  for (size_t i = 0; i < small.data.o.size(); ++i) {
    if (static_cast<unsigned char>(small.data.o.data()[i]) != cases::kPoisonByte) return false;
  }
  return true;
}

void check_all(const char* argument, const weft_tensor* weft_attention_args::*field) {
  for (const BadTensor& row : bad_tensors()) {
    SCOPED_TRACE(std::string(argument) + ": " + row.name);
    SmallAttention small;
    Copy copy(*(small.args.*field));
    row.spoil(copy);
    small.args.*field = &copy.t;
    small.data.poison_outputs();
    EXPECT_EQ(small.step(), WEFT_STATUS_INVALID_ARGUMENT);
    EXPECT_EQ(std::string(weft_last_error()).find(std::string(argument) + ": expected "), 0u)
        << weft_last_error();
    for (const char* part : row.message) {
      EXPECT_TRUE(last_error_has({part})) << weft_last_error();
    }
    EXPECT_TRUE(outputs_untouched(small));
  }
}

TEST(Tensor, BadInputTensor) { check_all("q", &weft_attention_args::q); }
TEST(Tensor, BadOutputTensor) { check_all("o", &weft_attention_args::o); }

TEST(Tensor, ByteOffsetIsHonoured) {
  SmallAttention small;
  ASSERT_EQ(small.step(), WEFT_STATUS_OK) << weft_last_error();
  const std::vector<char> bits(small.data.o.data(), small.data.o.data() + small.data.o.size());
  Copy q(*small.args.q);
  q.t.data = static_cast<char*>(q.t.data) - 4096;  // into the fence before the tensor: not read
  q.t.byte_offset = 4096;
  small.args.q = &q.t;
  small.data.poison_outputs();
  ASSERT_EQ(small.step(), WEFT_STATUS_OK) << weft_last_error();
  EXPECT_EQ(std::memcmp(bits.data(), small.data.o.data(), bits.size()), 0);
}

TEST(Tensor, NoStridesMeansContiguous) {
  SmallAttention small;
  ASSERT_EQ(small.step(), WEFT_STATUS_OK) << weft_last_error();
  const std::vector<char> bits(small.data.o.data(), small.data.o.data() + small.data.o.size());
  Copy q(*small.args.q);
  Copy o(*small.args.o);
  q.t.strides = o.t.strides = nullptr;
  small.args.q = &q.t;
  small.args.o = &o.t;
  small.data.poison_outputs();
  ASSERT_EQ(small.step(), WEFT_STATUS_OK) << weft_last_error();
  EXPECT_EQ(std::memcmp(bits.data(), small.data.o.data(), bits.size()), 0);
}

TEST(Tensor, PinnedHostMemoryIsHostMemory) {
  SmallAttention small;
  Copy q(*small.args.q);
  q.t.device.device_type = WEFT_DEVICE_CUDA_HOST;
  small.args.q = &q.t;
  EXPECT_EQ(small.step(), WEFT_STATUS_OK) << weft_last_error();
}

TEST(Tensor, DtypesGoThereAndBack) {
  for (int32_t dtype = WEFT_DTYPE_F32; dtype <= WEFT_DTYPE_U8; ++dtype) {
    int64_t shape[2] = {2, 3};
    weft_tensor tensor;
    ASSERT_EQ(weft_tensor_init(&tensor, shape, dtype, 2, shape), WEFT_STATUS_OK);
    char text[64];
    ASSERT_EQ(weft_tensor_to_string(&tensor, text, sizeof(text), nullptr), WEFT_STATUS_OK);
    EXPECT_EQ(std::string(text), std::string(weft_dtype_name(dtype)) + "[2, 3] on cpu");
    int32_t back = 0;
    ASSERT_EQ(weft_dtype_from_name(weft_dtype_name(dtype), &back), WEFT_STATUS_OK);
    EXPECT_EQ(back, dtype);
  }
  for (int32_t dtype : {-1, 0, 9, INT32_MAX, INT32_MIN}) {
    EXPECT_EQ(weft_dtype_to_dlpack(dtype).bits, 0);
    int64_t shape[1] = {1};
    weft_tensor tensor;
    EXPECT_EQ(weft_tensor_init(&tensor, shape, dtype, 1, shape), WEFT_STATUS_INVALID_ARGUMENT);
    EXPECT_TRUE(last_error_has({"dtype: expected", "got"})) << weft_last_error();
  }
  EXPECT_STREQ(weft_dtype_name(-1), "invalid");
  EXPECT_STREQ(weft_dtype_name(9), "invalid");
  EXPECT_STREQ(weft_isa_name(5), "invalid");
  EXPECT_STREQ(weft_status_name(7), "invalid");
  int32_t value = 42;
  EXPECT_EQ(weft_dtype_from_name("float", &value), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"name: expected none, f32, f16", "got float"})) << weft_last_error();
  EXPECT_EQ(weft_isa_from_name("sse", &value), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(value, 42);
}

}  // namespace
}  // namespace weft::capi_test
