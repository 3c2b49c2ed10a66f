// SPDX-License-Identifier: Apache-2.0
// The C ABI of sampling, topk and verify, beside c_api.h and under its conventions. Plain C11.
// Words, shapes and contracts are those of sampling.h, topk.h and verify.h.
#pragma once

#include "weft/c_api.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---- sampling -----------------------------------------------------------------------------------

typedef struct weft_sampling_handle* weft_sampling_t;

enum weft_sampling_input { WEFT_SAMPLING_LOGITS = 0, WEFT_SAMPLING_PROBS = 1 };
enum weft_filter_order { WEFT_FILTER_TOP_K_FIRST = 0, WEFT_FILTER_JOINT = 1 };
/// What stands in a status tensor.
enum weft_token_status {
  WEFT_TOKEN_OK = 0,
  WEFT_TOKEN_NAN = 1,
  WEFT_TOKEN_NOTHING_TO_DRAW = 2,
  WEFT_TOKEN_BAD_PARAMETER = 3
};

typedef struct weft_sampling_config {
  uint32_t struct_size;
  int32_t dtype;  // weft_dtype
  int32_t vocab_size;
  int32_t input;  // weft_sampling_input
  int32_t order;  // weft_filter_order
  int32_t checked;
} weft_sampling_config;

typedef struct weft_sampling_args {
  uint32_t struct_size;
  uint32_t reserved;
  const weft_tensor* input;
  const weft_tensor* indices;
  const weft_tensor* seed;
  const weft_tensor* offset;
  const weft_tensor* temperature;
  const weft_tensor* top_k;
  const weft_tensor* top_p;
  const weft_tensor* min_p;
  const weft_tensor* repetition_penalty;
  const weft_tensor* frequency_penalty;
  const weft_tensor* presence_penalty;
  const weft_tensor* prompt_mask;
  const weft_tensor* output_counts;
  const weft_tensor* bias;
  const weft_tensor* allowed;
  const weft_tensor* token;
  const weft_tensor* logprob;
  const weft_tensor* status;
} weft_sampling_args;

typedef struct weft_filter_args {
  uint32_t struct_size;
  uint32_t reserved;
  const weft_tensor* input;
  const weft_tensor* temperature;
  const weft_tensor* top_k;
  const weft_tensor* top_p;
  const weft_tensor* min_p;
  const weft_tensor* probs;
  const weft_tensor* masked;
  const weft_tensor* status;
} weft_filter_args;

WEFT_API weft_status weft_sampling_config_init(weft_sampling_config* config, size_t struct_size);
WEFT_API weft_status weft_sampling_args_init(weft_sampling_args* args, size_t struct_size);
WEFT_API weft_status weft_filter_args_init(weft_filter_args* args, size_t struct_size);
WEFT_API weft_status weft_sampling_create(const weft_sampling_config* config,
                                          const weft_target* target,
                                          const weft_allocator* allocator,
                                          weft_sampling_t* sampling);
WEFT_API weft_status weft_sampling_destroy(weft_sampling_t sampling);
WEFT_API weft_status weft_sampling_explain(weft_sampling_t sampling, char* buffer, size_t capacity,
                                           size_t* length);
WEFT_API weft_status weft_sampling_run(weft_sampling_t sampling, const weft_sampling_args* args,
                                       const weft_executor* executor);
WEFT_API weft_status weft_sampling_filter(weft_sampling_t sampling, const weft_filter_args* args,
                                          const weft_executor* executor);
/// INVALID_ARGUMENT names the first parameter that a run on a GPU found wrong since the last call.
WEFT_API weft_status weft_sampling_check(weft_sampling_t sampling, const weft_executor* executor);

// ---- topk ---------------------------------------------------------------------------------------

typedef struct weft_topk_handle* weft_topk_t;

typedef struct weft_topk_config {
  uint32_t struct_size;
  int32_t dtype;  // weft_dtype
  int32_t max_len;
  int32_t k;
  int32_t sorted;
  int32_t page_size;
  int32_t checked;
} weft_topk_config;

typedef struct weft_topk_args {
  uint32_t struct_size;
  uint32_t reserved;
  const weft_tensor* input;
  const weft_tensor* lengths;
  const weft_tensor* row_starts;
  const weft_tensor* page_table;
  const weft_tensor* row_to_batch;
  const weft_tensor* offsets;
  const weft_tensor* indices;
  const weft_tensor* values;
} weft_topk_args;

WEFT_API weft_status weft_topk_config_init(weft_topk_config* config, size_t struct_size);
WEFT_API weft_status weft_topk_args_init(weft_topk_args* args, size_t struct_size);
WEFT_API weft_status weft_topk_create(const weft_topk_config* config, const weft_target* target,
                                      const weft_allocator* allocator, weft_topk_t* topk);
WEFT_API weft_status weft_topk_destroy(weft_topk_t topk);
WEFT_API weft_status weft_topk_explain(weft_topk_t topk, char* buffer, size_t capacity,
                                       size_t* length);
WEFT_API weft_status weft_topk_run(weft_topk_t topk, const weft_topk_args* args,
                                   const weft_executor* executor);
/// INVALID_ARGUMENT names the first element that a run on a GPU found wrong since the last call.
WEFT_API weft_status weft_topk_check(weft_topk_t topk, const weft_executor* executor);

// ---- verify -------------------------------------------------------------------------------------

typedef struct weft_verify_handle* weft_verify_t;

typedef struct weft_verify_config {
  uint32_t struct_size;
  int32_t dtype;  // weft_dtype
  int32_t vocab_size;
  int32_t num_draft;
  int32_t tree;
} weft_verify_config;

typedef struct weft_verify_args {
  uint32_t struct_size;
  uint32_t reserved;
  const weft_tensor* draft_probs;
  const weft_tensor* target_probs;
  const weft_tensor* draft_tokens;
  const weft_tensor* first_child;
  const weft_tensor* next_sibling;
  const weft_tensor* seed;
  const weft_tensor* offset;
  const weft_tensor* tokens;
  const weft_tensor* accepted;
  const weft_tensor* emitted;
  const weft_tensor* status;
} weft_verify_args;

WEFT_API weft_status weft_verify_config_init(weft_verify_config* config, size_t struct_size);
WEFT_API weft_status weft_verify_args_init(weft_verify_args* args, size_t struct_size);
WEFT_API weft_status weft_verify_create(const weft_verify_config* config, const weft_target* target,
                                        const weft_allocator* allocator, weft_verify_t* verify);
WEFT_API weft_status weft_verify_destroy(weft_verify_t verify);
WEFT_API weft_status weft_verify_explain(weft_verify_t verify, char* buffer, size_t capacity,
                                         size_t* length);
WEFT_API weft_status weft_verify_run(weft_verify_t verify, const weft_verify_args* args,
                                     const weft_executor* executor);

#ifdef __cplusplus
}  // extern "C"
#endif
