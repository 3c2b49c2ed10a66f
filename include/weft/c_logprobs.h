// SPDX-License-Identifier: Apache-2.0
// The C ABI of logprobs, beside c_api.h and under its conventions. Plain C11. Words, shapes and
// contracts are those of logprobs.h.
#pragma once

#include "weft/c_cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_logprobs_handle* weft_logprobs_t;

typedef struct weft_logprobs_config {
  uint32_t struct_size;
  int32_t dtype;  // weft_dtype
  int32_t vocab_size;
  int32_t num;
  int32_t checked;
} weft_logprobs_config;

typedef struct weft_logprobs_args {
  uint32_t struct_size;
  uint32_t reserved;
  const weft_tensor* input;
  const weft_tensor* indices;
  const weft_tensor* temperature;
  const weft_tensor* repetition_penalty;
  const weft_tensor* frequency_penalty;
  const weft_tensor* presence_penalty;
  const weft_tensor* prompt_mask;
  const weft_tensor* output_counts;
  const weft_tensor* bias;
  const weft_tensor* allowed;
  const weft_tensor* token;
  const weft_tensor* top_tokens;
  const weft_tensor* top_logprobs;
  const weft_tensor* token_logprob;
  const weft_tensor* status;
} weft_logprobs_args;

WEFT_API weft_status weft_logprobs_config_init(weft_logprobs_config* config, size_t struct_size);
WEFT_API weft_status weft_logprobs_args_init(weft_logprobs_args* args, size_t struct_size);
WEFT_API weft_status weft_logprobs_create(const weft_logprobs_config* config,
                                          const weft_target* target,
                                          const weft_allocator* allocator,
                                          weft_logprobs_t* logprobs);
/// On a GPU; the handle serves every weft_logprobs function.
WEFT_API weft_status weft_logprobs_create_cuda(const weft_logprobs_config* config,
                                               weft_cuda_backend_t backend,
                                               const weft_allocator* allocator,
                                               weft_logprobs_t* logprobs);
WEFT_API weft_status weft_logprobs_destroy(weft_logprobs_t logprobs);
WEFT_API weft_status weft_logprobs_explain(weft_logprobs_t logprobs, char* buffer, size_t capacity,
                                           size_t* length);
WEFT_API weft_status weft_logprobs_run(weft_logprobs_t logprobs, const weft_logprobs_args* args,
                                       const weft_executor* executor);
/// INVALID_ARGUMENT names the first parameter that a run on a GPU found wrong since the last call.
WEFT_API weft_status weft_logprobs_check(weft_logprobs_t logprobs, const weft_executor* executor);

#ifdef __cplusplus
}  // extern "C"
#endif
