// SPDX-License-Identifier: Apache-2.0
// The C ABI of norm, beside c_api.h and under its conventions. Plain C11. Words and contracts are
// those of norm.h.
#pragma once

#include "weft/c_cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_norm_handle* weft_norm_t;

enum weft_norm_kind { WEFT_NORM_RMS = 0, WEFT_NORM_LAYER = 1 };

typedef struct weft_norm_config {
  uint32_t struct_size;
  int32_t dtype;         // weft_dtype
  int32_t dtype_out;     // NONE = dtype
  int32_t dtype_weight;  // NONE = dtype
  int32_t hidden;
  int32_t num_heads;
  int32_t kind;      // weft_norm_kind
  int32_t residual;  // boolean
  float eps;
  float weight_offset;
} weft_norm_config;

typedef struct weft_norm_args {
  uint32_t struct_size;
  float scale;
  const weft_tensor* x;
  const weft_tensor* weight;
  const weft_tensor* bias;
  const weft_tensor* residual;  // in and out
  const weft_tensor* out;
  const weft_tensor* scales;
} weft_norm_args;

WEFT_API weft_status weft_norm_config_init(weft_norm_config* config, size_t struct_size);
WEFT_API weft_status weft_norm_args_init(weft_norm_args* args, size_t struct_size);
WEFT_API weft_status weft_norm_create(const weft_norm_config* config, const weft_target* target,
                                      const weft_allocator* allocator, weft_norm_t* norm);
/// On a GPU; the handle serves every weft_norm function.
WEFT_API weft_status weft_norm_create_cuda(const weft_norm_config* config,
                                           weft_cuda_backend_t backend,
                                           const weft_allocator* allocator, weft_norm_t* norm);
WEFT_API weft_status weft_norm_destroy(weft_norm_t norm);
WEFT_API weft_status weft_norm_explain(weft_norm_t norm, char* buffer, size_t capacity,
                                       size_t* length);
WEFT_API weft_status weft_norm_run(weft_norm_t norm, const weft_norm_args* args,
                                   const weft_executor* executor);

#ifdef __cplusplus
}  // extern "C"
#endif
