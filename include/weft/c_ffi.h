// SPDX-License-Identifier: Apache-2.0
// The C ABI through one packed function: a table of values fills the args struct that a
// weft_call describes, and the call is made. For bindings of languages where filling a struct field
// by field costs more than the call itself (Python, by apache-tvm-ffi). Plain C11.
//
// weft_ffi_call has tvm-ffi's calling convention (0.1), so that its functions can be made from its
// address; weft neither links nor opens tvm-ffi, and any caller may pack the values itself.
#pragma once

#include "weft/c_api.h"

#ifdef __cplusplus
extern "C" {
#endif

/// How one value of a call enters the args struct. A None leaves the field at its default.
enum weft_field_kind {
  WEFT_FIELD_I32 = 0,
  WEFT_FIELD_F32 = 1,
  WEFT_FIELD_F32_POINTER = 2,  // const float*, where NULL means the operator's own default
  WEFT_FIELD_TENSOR = 3,
  /// Two tensor fields side by side, for k and v of a cache. When the second value is None the
  /// first is one tensor [n, 2, ...], and dimension 1 is split.
  WEFT_FIELD_TENSOR_PAIR = 4
};

typedef struct weft_field {
  const char* name;  // for messages
  int32_t kind;      // weft_field_kind
  uint32_t offset;   // of the field in the args struct
} weft_field;

/// Parameters of a function of the C ABI, between its first handle and its executor.
enum weft_call_form {
  WEFT_CALL_ARGS = 0,         // (handle, args, executor)
  WEFT_CALL_HANDLE_ARGS = 1,  // (handle, plan, args, executor)
  WEFT_CALL_ARGS_HANDLE = 2   // (handle, args, plan, executor)
};

/// One function of the C ABI as weft_ffi_call calls it. Made once; must outlive its calls.
typedef struct weft_call {
  uint32_t struct_size;
  int32_t form;  // weft_call_form
  int32_t num_fields;
  uint32_t args_size;        // of the args struct, at most 512
  const void* defaults;      // [args_size] as the struct's init fills it
  const weft_field* fields;  // [num_fields], at most 32, a pair as one field
  void* function;            // e.g. weft_attention_run
  /// The stream of a device while a framework calls (TVMFFIEnvGetStream); NULL = the default one.
  void* (*current_stream)(int32_t device_type, int32_t device_id);
} weft_call;

/// Values, in order: address of the weft_call; stream (None = the current one of the device where
/// the first CUDA tensor lies); first handle; second handle or None; then one value a field, two
/// for a pair. A tensor may be a DLTensor*, a tvm-ffi tensor, or an opaque pointer to a DLTensor.
/// Writes the weft_status, an integer, to `result`. Always returns 0: errors are statuses.
/// `args` and `result` are TVMFFIAny of tvm-ffi, 16 bytes each.
WEFT_API int weft_ffi_call(void* self, const void* args, int32_t num_args, void* result);

/// Addresses of Python's objects and of functions of its stable ABI, for weft_python_call.
typedef struct weft_python {
  uint32_t struct_size;
  uint32_t reserved;
  const void* none;
  const void* type_bool;
  const void* type_int;
  const void* type_float;
  /// The class whose instances are tensors, and its DLPackExchangeAPI (DLPack 1): its
  /// dltensor_from_py_object_no_sync and current_work_stream.
  const void* type_tensor;
  int (*tensor_of)(void* object, weft_tensor* tensor);
  int (*current_stream)(int32_t device_type, int32_t device_id, void** stream);
  long long (*as_int)(void* object);    // PyLong_AsLongLong
  double (*as_float)(void* object);     // PyFloat_AsDouble
  void* (*from_int)(long value);        // PyLong_FromLong
  void* (*error_occurred)(void);        // PyErr_Occurred
  void* (*release)(void);               // PyEval_SaveThread
  void (*acquire)(void* thread_state);  // PyEval_RestoreThread
} weft_python;

/// Must precede weft_python_call: what it finds Python by, for the process. Under Python's lock.
WEFT_API weft_status weft_python_bind(const weft_python* python);

/// weft_ffi_call as a function of Python with the flag METH_FASTCALL, for tensors of one framework:
/// nothing is allocated, counted or converted. Returns the status as an int of Python; -1, with
/// nothing called, when an argument is of another class; NULL with Python's exception.
/// REQUIRES: a build of Python with a global lock.
WEFT_API void* weft_python_call(void* self, void* const* args, intptr_t num_args);

#ifdef __cplusplus
}  // extern "C"
#endif
