// SPDX-License-Identifier: Apache-2.0
// DLPack tensors across the C ABI: dtype codes, devices, byte offsets, absent strides.
#include <array>
#include <string>

#include "src/api/boundary.h"
#include "src/api/c_struct.h"
#include "src/api/c_values.h"

namespace weft::capi {
namespace {

// Layout of DLTensor, DLPack specification: 48 bytes where pointers have 8.
static_assert(sizeof(void*) != 8 ||
              (sizeof(weft_tensor) == 48 && offsetof(weft_tensor, device) == 8 &&
               offsetof(weft_tensor, ndim) == 16 && offsetof(weft_tensor, dtype) == 20 &&
               offsetof(weft_tensor, shape) == 24 && offsetof(weft_tensor, strides) == 32 &&
               offsetof(weft_tensor, byte_offset) == 40));

// DLPack's type codes: int 0, uint 1, float 2, bfloat 4, float8_e4m3fn 10, float8_e5m2 12.
struct DTypeCode {
  DType dtype;
  weft_data_type dlpack;
};
constexpr std::array<DTypeCode, 8> kCodes = {{{DType::f32, {2, 32, 1}},
                                              {DType::f16, {2, 16, 1}},
                                              {DType::bf16, {4, 16, 1}},
                                              {DType::e4m3, {10, 8, 1}},
                                              {DType::e5m2, {12, 8, 1}},
                                              {DType::i32, {0, 32, 1}},
                                              {DType::i64, {0, 64, 1}},
                                              {DType::u8, {1, 8, 1}}}};

static_assert(WEFT_DTYPE_NONE == int(DType::none) && WEFT_DTYPE_F32 == int(DType::f32) &&
              WEFT_DTYPE_F16 == int(DType::f16) && WEFT_DTYPE_BF16 == int(DType::bf16) &&
              WEFT_DTYPE_E4M3 == int(DType::e4m3) && WEFT_DTYPE_E5M2 == int(DType::e5m2) &&
              WEFT_DTYPE_I32 == int(DType::i32) && WEFT_DTYPE_I64 == int(DType::i64) &&
              WEFT_DTYPE_U8 == int(DType::u8));

[[noreturn]] void refuse(const char* argument, const std::string& expected,
                         const std::string& got) {
  fail(ErrorKind::invalid_argument, argument, expected, got);
}

DType dtype_of(const char* argument, const weft_data_type& t) {
  for (const DTypeCode& known : kCodes) {
    if (known.dlpack.code == t.code && known.dlpack.bits == t.bits && t.lanes == 1) {
      return known.dtype;
    }
  }
  refuse(argument, "a DLPack dtype among f32, f16, bf16, e4m3fn, e5m2, i32, i64, u8 of 1 lane",
         "code " + std::to_string(t.code) + ", " + std::to_string(t.bits) + " bits, " +
             std::to_string(t.lanes) + " lanes");
}

Device device_of(const char* argument, const weft_device& d) {
  switch (static_cast<int>(d.device_type)) {
    case WEFT_DEVICE_CPU:
    case WEFT_DEVICE_CUDA_HOST:
      return {DeviceType::cpu, d.device_id};
    case WEFT_DEVICE_CUDA:
      return {DeviceType::cuda, d.device_id};
    default:
      refuse(argument, "a DLPack device type among cpu 1, cuda 2, cuda host 3",
             std::to_string(static_cast<int>(d.device_type)));
  }
}

// Row-major strides. A size of 0 counts as 1, as in every framework.
void fill_contiguous_strides(const char* argument, TensorView& view) {
  int64_t stride = 1;
  for (int i = view.ndim - 1; i >= 0; --i) {
    view.strides[i] = stride;
    const int64_t size = view.shape[i] > 0 ? view.shape[i] : 1;
    if (__builtin_mul_overflow(stride, size, &stride)) {
      refuse(argument, "a size that fits 63 bits", "a product beyond that");
    }
  }
}

void* data_of(const char* argument, const weft_tensor& t) {
  if (t.data == nullptr) {
    if (t.byte_offset != 0) refuse(argument, "byte_offset 0 with null data", "another");
    return nullptr;
  }
  const uintptr_t base = reinterpret_cast<uintptr_t>(t.data);
  if (t.byte_offset > UINTPTR_MAX - base) {
    refuse(argument, "data + byte_offset within the address space", std::to_string(t.byte_offset));
  }
  return reinterpret_cast<void*>(base + static_cast<uintptr_t>(t.byte_offset));
}

}  // namespace

TensorView to_view(const char* argument, const weft_tensor* in) {
  if (in == nullptr) return {};
  TensorView view;
  view.dtype = dtype_of(argument, in->dtype);
  view.device = device_of(argument, in->device);
  if (in->ndim < 0 || in->ndim > kMaxDims) {
    refuse(argument, "0 to " + std::to_string(kMaxDims) + " dimensions", std::to_string(in->ndim));
  }
  if (in->ndim > 0 && in->shape == nullptr) refuse(argument, "a shape", "NULL");
  view.ndim = in->ndim;
  for (int i = 0; i < view.ndim; ++i) {
    view.shape[i] = in->shape[i];
    if (view.shape[i] < 0) {
      refuse(argument, "sizes >= 0",
             std::to_string(view.shape[i]) + " in dimension " + std::to_string(i));
    }
  }
  if (in->strides == nullptr) {
    fill_contiguous_strides(argument, view);
  } else {
    for (int i = 0; i < view.ndim; ++i) view.strides[i] = in->strides[i];
  }
  view.data = data_of(argument, *in);
  return view;
}

DType to_dtype(const char* field, int32_t dtype) { return to_enum(field, dtype, DType::u8); }

weft_data_type dlpack_dtype(int32_t dtype) {
  for (const DTypeCode& known : kCodes) {
    if (static_cast<int32_t>(known.dtype) == dtype) return known.dlpack;
  }
  return {0, 0, 0};
}

DType dtype_from_name(const char* name) {
  if (name == nullptr) refuse("name", "the name of a dtype", "NULL");
  for (int i = 0; i <= WEFT_DTYPE_U8; ++i) {
    if (std::string(name) == name_of(static_cast<DType>(i))) return static_cast<DType>(i);
  }
  refuse("name", "none, f32, f16, bf16, e4m3, e5m2, i32, i64 or u8", name);
}

}  // namespace weft::capi
