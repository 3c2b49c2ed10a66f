/* SPDX-License-Identifier: Apache-2.0
 * See abi_program.h. Compiled as C11 with every warning: the ABI as a C engine uses it. */
#include "tests/capi/abi_program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weft/c_api.h"

static char failure[1400];

static int failed(const char* name, weft_status status) {
  if (status == WEFT_STATUS_OK) return 0;
  snprintf(failure, sizeof failure, "%s: %s: %s", name, weft_status_name((int32_t)status),
           weft_last_error());
  return 1;
}

#define MUST(call)                             \
  do {                                         \
    if (failed(#call, (call))) return failure; \
  } while (0)

#define EXPECT(condition)                   \
  do {                                      \
    if (!(condition)) return "" #condition; \
  } while (0)

/* A tensor with its shape. */
typedef struct box {
  weft_tensor t;
  int64_t shape[4];
} box;

static weft_tensor* fill(box* b, const void* data, int32_t dtype, int64_t s0, int64_t s1,
                         int64_t s2, int64_t s3) {
  const int64_t shape[4] = {s0, s1, s2, s3};
  int32_t ndim = 0;
  while (ndim < 4 && shape[ndim] > 0) ++ndim;
  memcpy(b->shape, shape, sizeof shape);
  if (weft_tensor_init(&b->t, (void*)(uintptr_t)data, dtype, ndim, b->shape)) return NULL;
  return &b->t;
}

static weft_tensor* floats(box* b, const float* data, int64_t s0, int64_t s1, int64_t s2,
                           int64_t s3) {
  return fill(b, data, WEFT_DTYPE_F32, s0, s1, s2, s3);
}

static weft_tensor* ints(box* b, const int32_t* data, int64_t n) {
  return fill(b, data, WEFT_DTYPE_I32, n, 0, 0, 0);
}

/* One after another, counting. */
static void in_order(void* context, int32_t n, weft_body body, void* arg) {
  *(int*)context += 1;
  for (int32_t i = 0; i < n; ++i) body(arg, i);
}

static void* allocate(void* context, size_t bytes, size_t alignment) {
  *(int*)context += 1;
  return aligned_alloc(alignment < sizeof(void*) ? sizeof(void*) : alignment,
                       (bytes + 63) / 64 * 64);
}

static void deallocate(void* context, void* memory, size_t bytes, size_t alignment) {
  (void)bytes;
  (void)alignment;
  *(int*)context -= 1;
  free(memory);
}

static const char* run_append(capi_step* s, const weft_rope_form* form) {
  weft_append_config config;
  weft_append_args args;
  weft_append_t append;
  size_t length = 0;
  box b[12];
  MUST(weft_batch_indices_positions(
      ints(&b[0], kQoIndptr, kRequests + 1), ints(&b[1], kKvLens, kRequests),
      ints(&b[2], s->batch_indices, kQueries), ints(&b[3], s->positions, kQueries)));
  MUST(weft_append_config_init(&config, sizeof config));
  config.dtype = WEFT_DTYPE_F32;
  config.num_kv_heads = kKvHeads;
  config.num_qo_heads = kQoHeads;
  config.head_dim_qk = kHeadDim;
  config.page_size = kPageTokens;
  config.rope = form;
  MUST(weft_append_create(&config, NULL, NULL, &append));
  MUST(weft_append_args_init(&args, sizeof args));
  args.k = floats(&b[4], s->k, kQueries, kKvHeads, kHeadDim, 0);
  args.v = floats(&b[5], s->v, kQueries, kKvHeads, kHeadDim, 0);
  args.batch_indices = &b[2].t;
  args.positions = &b[3].t;
  args.kv_indptr = ints(&b[6], kKvIndptr, kRequests + 1);
  args.kv_indices = ints(&b[7], kKvIndices, kUsedPages);
  args.k_cache = floats(&b[8], s->k_cache, kNumPages, kPageTokens, kKvHeads, kHeadDim);
  args.v_cache = floats(&b[9], s->v_cache, kNumPages, kPageTokens, kKvHeads, kHeadDim);
  args.q = floats(&b[10], s->q, kQueries, kQoHeads, kHeadDim, 0);
  args.q_out = floats(&b[11], s->q_rotated, kQueries, kQoHeads, kHeadDim, 0);
  MUST(weft_append_run(append, &args, NULL));
  MUST(weft_append_explain(append, NULL, 0, &length));
  EXPECT(length > 0);
  MUST(weft_append_destroy(append));
  return NULL;
}

static const char* inspect_plan(weft_attention_t attention, weft_attention_plan_t plan) {
  static char text[65536];
  weft_attention_plan_info info;
  size_t length = 0;
  MUST(weft_attention_plan_info_init(&info, sizeof info));
  MUST(weft_attention_plan_get_info(plan, &info));
  EXPECT(info.batch_size == kRequests);
  EXPECT(info.num_items > 0 && info.num_workers > 0);
  EXPECT(info.balance >= 1.0);
  MUST(weft_attention_explain(attention, text, sizeof text, &length));
  EXPECT(length > 0 && strlen(text) == length);
  MUST(weft_attention_plan_explain(plan, text, sizeof text, &length));
  EXPECT(length > 0 && strlen(text) == length);
  MUST(weft_attention_plan_explain_json(plan, text, sizeof text, &length));
  EXPECT(text[0] == '{' && text[length - 1] == '}');
  return NULL;
}

static const char* step_attention(capi_step* s, weft_attention_t attention,
                                  weft_attention_plan_t plan) {
  weft_attention_batch batch;
  weft_attention_args args;
  weft_executor executor;
  box b[9];
  int calls = 0;
  MUST(weft_executor_init(&executor, sizeof executor));
  executor.num_threads = 1;
  executor.parallel_context = &calls;
  executor.parallel_for = in_order;
  MUST(weft_attention_batch_init(&batch, sizeof batch));
  batch.qo_indptr = ints(&b[0], kQoIndptr, kRequests + 1);
  batch.kv_indptr = ints(&b[1], kKvIndptr, kRequests + 1);
  batch.kv_indices = ints(&b[2], kKvIndices, kUsedPages);
  batch.last_page_len = ints(&b[3], kLastPageLen, kRequests);
  MUST(weft_attention_plan(attention, &batch, plan, &executor));
  MUST(weft_attention_args_init(&args, sizeof args));
  args.q = floats(&b[4], s->q_rotated, kQueries, kQoHeads, kHeadDim, 0);
  args.k = floats(&b[5], s->k_cache, kNumPages, kPageTokens, kKvHeads, kHeadDim);
  args.v = floats(&b[6], s->v_cache, kNumPages, kPageTokens, kKvHeads, kHeadDim);
  args.o = floats(&b[7], s->o, kQueries, kQoHeads, kHeadDim, 0);
  args.lse = floats(&b[8], s->lse, kQueries, kQoHeads, 0, 0);
  args.sm_scale = &s->sm_scale;
  MUST(weft_attention_run(attention, plan, &args, &executor));
  EXPECT(calls > 0);
  return inspect_plan(attention, plan);
}

static const char* run_attention(capi_step* s) {
  weft_attention_config config;
  weft_allocator allocator;
  weft_target target;
  weft_attention_t attention = NULL;
  weft_attention_plan_t plan = NULL;
  const char* wrong;
  int blocks = 0;
  size_t bytes = 0;
  MUST(weft_target_host(&target, sizeof target));
  target.isa = WEFT_ISA_SCALAR;
  MUST(weft_allocator_init(&allocator, sizeof allocator));
  allocator.context = &blocks;
  allocator.allocate = allocate;
  allocator.deallocate = deallocate;
  MUST(weft_attention_config_init(&config, sizeof config));
  config.dtype_q = config.dtype_kv = WEFT_DTYPE_F32;
  config.num_qo_heads = kQoHeads;
  config.num_kv_heads = kKvHeads;
  config.head_dim_qk = kHeadDim;
  config.page_size = kPageTokens;
  config.max_batch_size = 8;
  config.max_nnz_qo = 64;
  MUST(weft_attention_create(&config, &target, &allocator, &attention));
  EXPECT(blocks == 1);
  MUST(weft_attention_workspace_bytes(attention, &bytes));
  EXPECT(bytes > 0);
  MUST(weft_attention_create_plan(attention, NULL, &plan));
  EXPECT(blocks == 3);
  wrong = step_attention(s, attention, plan);
  MUST(weft_attention_plan_destroy(plan));
  MUST(weft_attention_destroy(attention));
  EXPECT(blocks == 0);
  return wrong;
}

static const char* run_merge(capi_step* s) {
  weft_merge_config config;
  weft_merge_args args;
  weft_merge_pair_args pair;
  weft_merge_t merge;
  size_t length = 0;
  box b[7];
  MUST(weft_merge_config_init(&config, sizeof config));
  config.dtype = WEFT_DTYPE_F32;
  config.num_heads = kQoHeads;
  config.head_dim = kHeadDim;
  MUST(weft_merge_create(&config, NULL, NULL, &merge));
  MUST(weft_merge_args_init(&args, sizeof args));
  args.o_in = floats(&b[0], s->states, kQueries, kStates, kQoHeads, kHeadDim);
  args.lse_in = floats(&b[1], s->states_lse, kQueries, kStates, kQoHeads, 0);
  args.o = floats(&b[2], s->merged, kQueries, kQoHeads, kHeadDim, 0);
  args.lse = floats(&b[3], s->merged_lse, kQueries, kQoHeads, 0, 0);
  MUST(weft_merge_run(merge, &args, NULL));
  MUST(weft_merge_pair_args_init(&pair, sizeof pair));
  pair.o_a = &b[2].t;
  pair.lse_a = &b[3].t;
  pair.o_b = floats(&b[4], s->o, kQueries, kQoHeads, kHeadDim, 0);
  pair.lse_b = floats(&b[5], s->lse, kQueries, kQoHeads, 0, 0);
  pair.o = floats(&b[6], s->pair, kQueries, kQoHeads, kHeadDim, 0);
  MUST(weft_merge_run_pair(merge, &pair, NULL));
  MUST(weft_merge_explain(merge, NULL, 0, &length));
  EXPECT(length > 0);
  MUST(weft_merge_destroy(merge));
  return NULL;
}

static const char* run_rope(capi_step* s, const weft_rope_form* form) {
  weft_rope_config config;
  weft_rope_args args;
  weft_rope_t rope;
  size_t length = 0;
  box b[3];
  MUST(weft_rope_config_init(&config, sizeof config));
  config.dtype = WEFT_DTYPE_F32;
  config.num_qo_heads = kQoHeads;
  config.head_dim = kHeadDim;
  config.rope = form;
  MUST(weft_rope_create(&config, NULL, NULL, &rope));
  MUST(weft_rope_args_init(&args, sizeof args));
  args.q = floats(&b[0], s->q, kQueries, kQoHeads, kHeadDim, 0);
  args.q_out = floats(&b[1], s->roped, kQueries, kQoHeads, kHeadDim, 0);
  args.positions = ints(&b[2], s->positions, kQueries);
  MUST(weft_rope_run(rope, &args, NULL));
  MUST(weft_rope_explain(rope, NULL, 0, &length));
  EXPECT(length > 0);
  MUST(weft_rope_destroy(rope));
  return NULL;
}

const char* capi_program_run(capi_step* s) {
  weft_rope_form form;
  const char* wrong;
  MUST(weft_rope_form_init(&form, sizeof form));
  form.mode = WEFT_ROPE_NEOX;
  form.theta = 500.0f;
  if ((wrong = run_append(s, &form)) != NULL) return wrong;
  if ((wrong = run_attention(s)) != NULL) return wrong;
  if ((wrong = run_merge(s)) != NULL) return wrong;
  return run_rope(s, &form);
}

const char* capi_program_words(void) {
  char text[128];
  size_t length = 0;
  int32_t value = -1;
  weft_target target;
  box b;
  EXPECT(strcmp(weft_version(), WEFT_VERSION_STRING) == 0);
  EXPECT(weft_abi_version() == WEFT_ABI_VERSION);
  EXPECT(strcmp(weft_status_name(WEFT_STATUS_OUT_OF_LIMITS), "out_of_limits") == 0);
  EXPECT(strcmp(weft_dtype_name(WEFT_DTYPE_BF16), "bf16") == 0);
  MUST(weft_dtype_from_name("e4m3", &value));
  EXPECT(value == WEFT_DTYPE_E4M3);
  EXPECT(weft_dtype_to_dlpack(WEFT_DTYPE_E5M2).bits == 8);
  EXPECT(strcmp(weft_isa_name(WEFT_ISA_AVX2), "avx2") == 0);
  MUST(weft_isa_from_name("amx_bf16", &value));
  EXPECT(value == WEFT_ISA_AMX_BF16);
  EXPECT(fill(&b, text, WEFT_DTYPE_U8, 2, 5, 0, 0) != NULL);
  MUST(weft_tensor_to_string(&b.t, text, sizeof text, &length));
  EXPECT(strcmp(text, "u8[2, 5] on cpu") == 0 && length == strlen(text));
  MUST(weft_target_init(&target, sizeof target));
  EXPECT(target.isa == WEFT_ISA_SCALAR && target.num_threads == 1);
  MUST(weft_target_h200(&target, sizeof target));
  EXPECT(target.device_type == WEFT_DEVICE_CUDA && target.num_sms == 132);
  MUST(weft_target_to_string(&target, text, sizeof text, NULL));
  EXPECT(strcmp(text, "cuda:0 sm_90, 132 SMs") == 0);
  return NULL;
}
