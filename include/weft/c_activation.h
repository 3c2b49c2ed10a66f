// SPDX-License-Identifier: Apache-2.0
// The C ABI of activation, beside c_api.h and under its conventions. Plain C11. Words and contracts
// are those of activation.h.
#pragma once

#include "weft/c_cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_activation_handle* weft_activation_t;

enum weft_activation_kind {
  WEFT_ACTIVATION_SILU = 0,
  WEFT_ACTIVATION_GELU = 1,
  WEFT_ACTIVATION_GELU_TANH = 2
};

typedef struct weft_activation_config {
  uint32_t struct_size;
  int32_t dtype;      // weft_dtype
  int32_t dtype_out;  // NONE = dtype
  int32_t kind;       // weft_activation_kind
  int32_t hidden;
} weft_activation_config;

typedef struct weft_activation_args {
  uint32_t struct_size;
  float scale;
  const weft_tensor* x;
  const weft_tensor* out;
  const weft_tensor* scales;
} weft_activation_args;

WEFT_API weft_status weft_activation_config_init(weft_activation_config* config,
                                                 size_t struct_size);
WEFT_API weft_status weft_activation_args_init(weft_activation_args* args, size_t struct_size);
WEFT_API weft_status weft_activation_create(const weft_activation_config* config,
                                            const weft_target* target,
                                            const weft_allocator* allocator,
                                            weft_activation_t* activation);
/// On a GPU; the handle serves every weft_activation function.
WEFT_API weft_status weft_activation_create_cuda(const weft_activation_config* config,
                                                 weft_cuda_backend_t backend,
                                                 const weft_allocator* allocator,
                                                 weft_activation_t* activation);
WEFT_API weft_status weft_activation_destroy(weft_activation_t activation);
WEFT_API weft_status weft_activation_explain(weft_activation_t activation, char* buffer,
                                             size_t capacity, size_t* length);
WEFT_API weft_status weft_activation_run(weft_activation_t activation,
                                         const weft_activation_args* args,
                                         const weft_executor* executor);

#ifdef __cplusplus
}  // extern "C"
#endif
