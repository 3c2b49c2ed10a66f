// SPDX-License-Identifier: Apache-2.0
// The C ABI of packbits, beside c_api.h and under its conventions. Plain C11. Words and contracts
// are those of packbits.h.
#pragma once

#include "weft/c_cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_packbits_handle* weft_packbits_t;

enum weft_bit_order { WEFT_BIT_ORDER_LITTLE = 0, WEFT_BIT_ORDER_BIG = 1 };

typedef struct weft_packbits_config {
  uint32_t struct_size;
  int32_t order;  // weft_bit_order
} weft_packbits_config;

typedef struct weft_packbits_args {
  uint32_t struct_size;
  uint32_t reserved;
  const weft_tensor* x;
  const weft_tensor* indptr;
  const weft_tensor* out_indptr;
  const weft_tensor* out;
} weft_packbits_args;

WEFT_API weft_status weft_packbits_config_init(weft_packbits_config* config, size_t struct_size);
WEFT_API weft_status weft_packbits_args_init(weft_packbits_args* args, size_t struct_size);
WEFT_API weft_status weft_packbits_create(const weft_packbits_config* config,
                                          const weft_target* target,
                                          const weft_allocator* allocator,
                                          weft_packbits_t* packbits);
/// On a GPU; the handle serves every weft_packbits function.
WEFT_API weft_status weft_packbits_create_cuda(const weft_packbits_config* config,
                                               weft_cuda_backend_t backend,
                                               const weft_allocator* allocator,
                                               weft_packbits_t* packbits);
WEFT_API weft_status weft_packbits_destroy(weft_packbits_t packbits);
WEFT_API weft_status weft_packbits_explain(weft_packbits_t packbits, char* buffer, size_t capacity,
                                           size_t* length);
WEFT_API weft_status weft_packbits_run(weft_packbits_t packbits, const weft_packbits_args* args,
                                       const weft_executor* executor);

#ifdef __cplusplus
}  // extern "C"
#endif
