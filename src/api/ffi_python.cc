// SPDX-License-Identifier: Apache-2.0
// weft_python_call: objects of Python into the values of a packed call. Knows of Python the head of
// an object and the functions it was given: the library links no Python and serves any version.
#include <array>

#include "src/api/boundary.h"
#include "src/api/c_struct.h"
#include "src/api/ffi.h"

using namespace weft;        // NOLINT(google-build-using-namespace): this file is one wall of it
using namespace weft::capi;  // NOLINT(google-build-using-namespace)

namespace {

// A call takes no argument but Python's, so where Python is has to be known to the process.
weft_python bound{};

// PyObject of the stable ABI.
struct Object {
  intptr_t references;
  const void* type;
};

constexpr intptr_t kMostValues = 40;
constexpr int kMostTensors = 24;
constexpr size_t kStream = 1;  // of the values

struct Packed {
  std::array<Value, kMostValues> values;
  std::array<weft_tensor, kMostTensors> tensors;
  int num_tensors = 0;
  const weft_tensor* on_cuda = nullptr;
};

// False when the object is of a class that is not known here.
bool pack(void* object, Packed& packed, Value& value) {
  if (object == bound.none) {
    value.type = kNone;
    return true;
  }
  const void* const type = static_cast<const Object*>(object)->type;
  if (type == bound.type_tensor && packed.num_tensors < kMostTensors) {
    weft_tensor& tensor = packed.tensors[packed.num_tensors++];
    if (bound.tensor_of(object, &tensor) != 0) return false;
    if (tensor.device.device_type == WEFT_DEVICE_CUDA && packed.on_cuda == nullptr) {
      packed.on_cuda = &tensor;
    }
    value.type = kDLTensor;
    value.pointer = &tensor;
    return true;
  }
  if (type == bound.type_float) {
    value.type = kFloat;
    value.f64 = bound.as_float(object);
    return true;
  }
  value.type = type == bound.type_bool ? kBool : kInt;
  if (type != bound.type_bool && type != bound.type_int) return false;
  value.i64 = bound.as_int(object);
  return true;
}

// False when the framework cannot tell its stream.
bool fill_stream(Packed& packed) {
  Value& stream = packed.values[kStream];
  if (packed.on_cuda == nullptr || stream.type != kNone) return true;
  const weft_device device = packed.on_cuda->device;
  stream.type = kOpaque;
  return bound.current_stream(device.device_type, device.device_id, &stream.pointer) == 0;
}

}  // namespace

weft_status weft_python_bind(const weft_python* python) {
  return guard([&] {
    const weft_python read = read_struct("python", python, weft_python{});
    check_reserved(read.reserved);
    bound = read;
  });
}

void* weft_python_call(void*, void* const* args, intptr_t num_args) {
  if (num_args > kMostValues) return bound.from_int(-1);
  Packed packed;
  for (intptr_t i = 0; i < num_args; ++i) {
    if (pack(args[i], packed, packed.values[static_cast<size_t>(i)])) continue;
    return bound.error_occurred() != nullptr ? nullptr : bound.from_int(-1);
  }
  if (num_args <= static_cast<intptr_t>(kStream) || !fill_stream(packed) ||
      bound.error_occurred() != nullptr) {  // an integer beyond 64 bits, say
    return bound.error_occurred() != nullptr ? nullptr : bound.from_int(-1);
  }
  // Other threads may run: a call on the CPU takes its time, and a launch waits when many are
  // queued.
  void* const thread = bound.release();
  const weft_status status = call_packed(packed.values.data(), static_cast<int32_t>(num_args));
  bound.acquire(thread);
  return bound.from_int(status);
}
