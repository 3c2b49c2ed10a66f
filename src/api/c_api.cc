// SPDX-License-Identifier: Apache-2.0
// The C ABI of what belongs to no operator: status, version, names, tensors, targets, executor.
#include "weft/c_api.h"

#include "src/api/boundary.h"
#include "src/api/c_struct.h"
#include "src/api/c_values.h"
#include "weft/error.h"

using namespace weft;        // NOLINT(google-build-using-namespace): this file is one wall of it
using namespace weft::capi;  // NOLINT(google-build-using-namespace)

static_assert(WEFT_STATUS_INVALID_ARGUMENT == int(ErrorKind::invalid_argument) &&
              WEFT_STATUS_UNSUPPORTED == int(ErrorKind::unsupported) &&
              WEFT_STATUS_OUT_OF_LIMITS == int(ErrorKind::out_of_limits) &&
              WEFT_STATUS_OUT_OF_MEMORY == int(ErrorKind::out_of_memory) &&
              WEFT_STATUS_DEVICE == int(ErrorKind::device) &&
              WEFT_STATUS_INTERNAL == int(ErrorKind::internal));

const char* weft_status_name(int32_t status) {
  return status == WEFT_STATUS_OK ? "ok" : name_of(static_cast<ErrorKind>(status));
}

const char* weft_last_error(void) { return last_error(); }

const char* weft_version(void) { return version(); }

int32_t weft_abi_version(void) { return WEFT_ABI_VERSION; }

const char* weft_dtype_name(int32_t dtype) {
  return dtype < 0 || dtype > WEFT_DTYPE_U8 ? "invalid" : name_of(static_cast<DType>(dtype));
}

weft_status weft_dtype_from_name(const char* name, int32_t* dtype) {
  return guard([&] {
    check_out("dtype", dtype);
    *dtype = static_cast<int32_t>(dtype_from_name(name));
  });
}

weft_data_type weft_dtype_to_dlpack(int32_t dtype) { return dlpack_dtype(dtype); }

weft_status weft_tensor_init(weft_tensor* tensor, void* data, int32_t dtype, int32_t ndim,
                             int64_t* shape) {
  return guard([&] {
    check_out("tensor", tensor);
    const weft_tensor made = {data, {WEFT_DEVICE_CPU, 0}, ndim, dlpack_dtype(dtype), shape, nullptr,
                              0};
    check_range("dtype", dtype, WEFT_DTYPE_F32, WEFT_DTYPE_U8);
    to_view("tensor", &made);
    *tensor = made;
  });
}

weft_status weft_tensor_to_string(const weft_tensor* tensor, char* buffer, size_t capacity,
                                  size_t* length) {
  return guard([&] { write_text(to_string(to_view("tensor", tensor)), buffer, capacity, length); });
}

const char* weft_isa_name(int32_t isa) {
  return isa < 0 || isa > WEFT_ISA_AMX_BF16 ? "invalid" : name_of(static_cast<Isa>(isa));
}

weft_status weft_isa_from_name(const char* name, int32_t* isa) {
  return guard([&] {
    check_out("isa", isa);
    if (name == nullptr) fail(ErrorKind::invalid_argument, "name", "the name of an isa", "NULL");
    *isa = static_cast<int32_t>(isa_from_name(name));
  });
}

weft_status weft_target_init(weft_target* target, size_t struct_size) {
  return guard([&] { write_struct("target", target, struct_size, to_c(Target{})); });
}

weft_status weft_target_host(weft_target* target, size_t struct_size) {
  return guard([&] { write_struct("target", target, struct_size, to_c(Target::host())); });
}

weft_status weft_target_h200(weft_target* target, size_t struct_size) {
  return guard([&] { write_struct("target", target, struct_size, to_c(Target::h200())); });
}

weft_status weft_target_to_string(const weft_target* target, char* buffer, size_t capacity,
                                  size_t* length) {
  return guard([&] { write_text(to_string(to_target(target)), buffer, capacity, length); });
}

weft_status weft_rope_form_init(weft_rope_form* form, size_t struct_size) {
  return guard([&] { write_struct("form", form, struct_size, to_c(Rope{})); });
}

weft_status weft_executor_init(weft_executor* executor, size_t struct_size) {
  return guard([&] { write_struct("executor", executor, struct_size, weft_executor{}); });
}

weft_status weft_allocator_init(weft_allocator* allocator, size_t struct_size) {
  return guard([&] { write_struct("allocator", allocator, struct_size, weft_allocator{}); });
}
