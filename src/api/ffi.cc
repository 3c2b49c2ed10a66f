// SPDX-License-Identifier: Apache-2.0
// The packed call of c_ffi.h: values into an args struct by a table of fields, then the C ABI's own
// function. Knows no operator, and of tvm-ffi only the layout of its values.
#include "src/api/ffi.h"

#include <array>
#include <cstring>

#include "src/api/boundary.h"
#include "src/api/c_struct.h"

using namespace weft;        // NOLINT(google-build-using-namespace): this file is one wall of it
using namespace weft::capi;  // NOLINT(google-build-using-namespace)

namespace {

constexpr int32_t kTensorObject = 70;
constexpr size_t kObjectHeader = 24;  // of a tvm-ffi object, before its DLTensor

constexpr int kMostFields = 32;
constexpr size_t kMostBytes = 512;
constexpr int kMostDims = 6;
constexpr int32_t kLeading = 4;  // call, stream, first handle, second handle

// The args struct while it is filled, and what its pointers point at.
struct Frame {
  alignas(8) std::array<char, kMostBytes> args;
  std::array<float, kMostFields> floats;
  int num_floats = 0;
  std::array<weft_tensor, 2> halves;
  std::array<int64_t, 4 * kMostDims> dims;
  const weft_tensor* on_cuda = nullptr;  // the first tensor there
};

[[noreturn]] void refuse(const char* name, const char* expected, const Value& value) {
  const char* got = value.type == kNone                           ? "nothing"
                    : value.type == kInt || value.type == kBool   ? "an integer"
                    : value.type == kFloat                        ? "a number"
                    : value.type == kDLTensor || value.type == 70 ? "a tensor"
                                                                  : "another object";
  fail(ErrorKind::invalid_argument, name, expected, got);
}

template <class T>
void store(Frame& frame, uint32_t offset, T value) {
  std::memcpy(frame.args.data() + offset, &value, sizeof(value));
}

float to_float(const char* name, const Value& value) {
  if (value.type == kFloat) return static_cast<float>(value.f64);
  if (value.type == kInt || value.type == kBool) return static_cast<float>(value.i64);
  refuse(name, "a number", value);
}

int32_t to_int(const char* name, const Value& value) {
  if (value.type != kInt && value.type != kBool) refuse(name, "an integer", value);
  check_range(name, value.i64, INT32_MIN, INT32_MAX);
  return static_cast<int32_t>(value.i64);
}

const weft_tensor* to_tensor(const char* name, const Value& value, Frame& frame) {
  const weft_tensor* tensor = nullptr;
  if (value.type == kDLTensor || value.type == kOpaque) {
    tensor = static_cast<const weft_tensor*>(value.pointer);
  } else if (value.type == kTensorObject) {
    tensor =
        reinterpret_cast<const weft_tensor*>(static_cast<char*>(value.pointer) + kObjectHeader);
  } else {
    refuse(name, "a tensor", value);
  }
  const bool cuda = tensor->device.device_type == WEFT_DEVICE_CUDA;
  if (cuda && frame.on_cuda == nullptr) frame.on_cuda = tensor;
  return tensor;
}

// k and v out of one tensor [n, 2, ...].
void split(const weft_field& field, const weft_tensor& joined, Frame& frame) {
  const int n = joined.ndim;
  if (n < 3 || n > kMostDims || joined.shape[1] != 2) {
    fail(ErrorKind::invalid_argument, field.name, "a pair of tensors, or one of shape [n, 2, ...]",
         n < 2 ? std::to_string(n) + " dimensions"
               : "size " + std::to_string(joined.shape[1]) + " in dimension 1 of " +
                     std::to_string(n));
  }
  int64_t* shape = frame.dims.data();
  int64_t* strides = shape + kMostDims;
  int64_t dense = 1;
  int64_t between = 0;
  for (int i = n - 1, to = n - 2; i >= 0; --i) {
    const int64_t stride = joined.strides != nullptr ? joined.strides[i] : dense;
    dense *= joined.shape[i] > 0 ? joined.shape[i] : 1;
    if (i == 1) {
      between = stride;
      continue;
    }
    shape[to] = joined.shape[i];
    strides[to] = stride;
    --to;
  }
  for (int half = 0; half < 2; ++half) {
    weft_tensor& out = frame.halves[half];
    out = joined;
    out.ndim = n - 1;
    out.shape = shape;
    out.strides = strides;
    if (out.data != nullptr) out.byte_offset += half * between * (joined.dtype.bits / 8);
    store(frame, field.offset + half * sizeof(void*), static_cast<const weft_tensor*>(&out));
  }
}

// Fills one field from `values`; returns how many it took.
int fill(const weft_field& field, const Value* values, Frame& frame) {
  const Value& value = values[0];
  if (field.kind == WEFT_FIELD_TENSOR_PAIR) {
    const bool joined = values[1].type == kNone && value.type != kNone;
    if (value.type != kNone) {
      const weft_tensor* tensor = to_tensor(field.name, value, frame);
      if (joined) split(field, *tensor, frame);
      if (!joined) store(frame, field.offset, tensor);
    }
    if (values[1].type != kNone) {
      store(frame, field.offset + sizeof(void*), to_tensor(field.name, values[1], frame));
    }
    return 2;
  }
  if (value.type == kNone) return 1;
  if (field.kind == WEFT_FIELD_I32) {
    store(frame, field.offset, to_int(field.name, value));
  } else if (field.kind == WEFT_FIELD_F32) {
    store(frame, field.offset, to_float(field.name, value));
  } else if (field.kind == WEFT_FIELD_F32_POINTER) {
    float& place = frame.floats[frame.num_floats++];
    place = to_float(field.name, value);
    store(frame, field.offset, static_cast<const float*>(&place));
  } else {
    store(frame, field.offset, to_tensor(field.name, value, frame));
  }
  return 1;
}

void* handle_of(const char* name, const Value& value) {
  if (value.type == kNone) return nullptr;
  if (value.type != kInt && value.type != kOpaque) refuse(name, "the address of a handle", value);
  return value.pointer;
}

weft_status invoke(const weft_call& call, void* handle, void* plan, const void* args,
                   const weft_executor* executor) {
  using Plain = weft_status (*)(void*, const void*, const weft_executor*);
  using WithPlan = weft_status (*)(void*, const void*, const void*, const weft_executor*);
  switch (call.form) {
    case WEFT_CALL_HANDLE_ARGS:
      return reinterpret_cast<WithPlan>(call.function)(handle, plan, args, executor);
    case WEFT_CALL_ARGS_HANDLE:
      return reinterpret_cast<WithPlan>(call.function)(handle, args, plan, executor);
    default:
      return reinterpret_cast<Plain>(call.function)(handle, args, executor);
  }
}

void check_call(const weft_call& call, int32_t num_args, int32_t num_values) {
  check_range("call.struct_size", call.struct_size, sizeof(weft_call), sizeof(weft_call));
  check_range("call.form", call.form, WEFT_CALL_ARGS, WEFT_CALL_ARGS_HANDLE);
  check_range("call.num_fields", call.num_fields, 0, kMostFields);
  check_range("call.args_size", call.args_size, 8, kMostBytes);
  check_range("values", num_args - kLeading, num_values, num_values);
}

int32_t count_values(const weft_call& call) {
  int32_t count = 0;
  for (int32_t i = 0; i < call.num_fields; ++i) {
    count += call.fields[i].kind == WEFT_FIELD_TENSOR_PAIR ? 2 : 1;
  }
  return count;
}

weft_status call(const Value* values, int32_t num_args) {
  check_range("values", num_args, kLeading, INT32_MAX);
  const auto* told = static_cast<const weft_call*>(handle_of("call", values[0]));
  if (told == nullptr) refuse("call", "the address of a weft_call", values[0]);
  check_call(*told, num_args, count_values(*told));
  Frame frame;
  std::memcpy(frame.args.data(), told->defaults, told->args_size);
  const Value* next = values + kLeading;
  for (int32_t i = 0; i < told->num_fields; ++i) next += fill(told->fields[i], next, frame);
  weft_executor executor{};
  executor.struct_size = sizeof(executor);
  if (values[1].type != kNone) {
    executor.stream = handle_of("stream", values[1]);
  } else if (frame.on_cuda != nullptr && told->current_stream != nullptr) {
    executor.stream = told->current_stream(WEFT_DEVICE_CUDA, frame.on_cuda->device.device_id);
  }
  return invoke(*told, handle_of("handle", values[2]), handle_of("plan", values[3]),
                frame.args.data(), &executor);
}

}  // namespace

namespace weft::capi {

weft_status call_packed(const Value* values, int32_t num_args) noexcept {
  weft_status called = WEFT_STATUS_OK;
  const weft_status packed = guard([&] { called = call(values, num_args); });
  return packed != WEFT_STATUS_OK ? packed : called;
}

}  // namespace weft::capi

int weft_ffi_call(void*, const void* args, int32_t num_args, void* result) {
  Value out{};
  out.type = kInt;
  out.i64 = call_packed(static_cast<const Value*>(args), num_args);
  std::memcpy(result, &out, sizeof(out));
  return 0;
}
