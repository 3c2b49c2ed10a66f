/* SPDX-License-Identifier: Apache-2.0
 * A whole user of weft in C: the request of ../main.cc through the C ABI. q = 0 makes every weight
 * equal, so the answer is the mean of the values; a wrong argument must come back as a message. */
#include <math.h>
#include <stdio.h>
#include <weft/c_api.h>

enum { kHeads = 2, kDim = 16, kPage = 4, kPages = 3, kTokens = 6 };

static int failed(const char* what, weft_status status) {
  if (status == WEFT_STATUS_OK) return 0;
  printf("%s: %s: %s\n", what, weft_status_name(status), weft_last_error());
  return 1;
}

static int make(weft_attention_t* attention, weft_attention_plan_t* plan) {
  weft_attention_config config;
  if (failed("init", weft_attention_config_init(&config, sizeof config))) return 1;
  config.dtype_q = config.dtype_kv = WEFT_DTYPE_F32;
  config.num_qo_heads = kHeads;
  config.num_kv_heads = 1;
  config.head_dim_qk = kDim;
  config.page_size = kPage;
  config.max_batch_size = 8;
  config.max_nnz_qo = 64;
  if (failed("create", weft_attention_create(&config, NULL, NULL, attention))) return 1;
  return failed("create_plan", weft_attention_create_plan(*attention, NULL, plan));
}

static int run(weft_attention_t attention, weft_attention_plan_t plan, float* q, float* kv,
               float* o, int32_t* pages) {
  int32_t qo_indptr[] = {0, 1}, kv_indptr[] = {0, 2}, last_page_len[] = {2};
  int64_t two[] = {2}, one[] = {1}, q_shape[] = {1, kHeads, kDim};
  int64_t kv_shape[] = {kPages, kPage, 1, kDim};
  weft_tensor t_qo, t_kv, t_pages, t_last, t_q, t_cache, t_o;
  weft_attention_batch batch;
  weft_attention_args args;
  weft_tensor_init(&t_qo, qo_indptr, WEFT_DTYPE_I32, 1, two);
  weft_tensor_init(&t_kv, kv_indptr, WEFT_DTYPE_I32, 1, two);
  weft_tensor_init(&t_pages, pages, WEFT_DTYPE_I32, 1, two);
  weft_tensor_init(&t_last, last_page_len, WEFT_DTYPE_I32, 1, one);
  weft_tensor_init(&t_q, q, WEFT_DTYPE_F32, 3, q_shape);
  weft_tensor_init(&t_o, o, WEFT_DTYPE_F32, 3, q_shape);
  weft_tensor_init(&t_cache, kv, WEFT_DTYPE_F32, 4, kv_shape);
  weft_attention_batch_init(&batch, sizeof batch);
  batch.qo_indptr = &t_qo;
  batch.kv_indptr = &t_kv;
  batch.kv_indices = &t_pages;
  batch.last_page_len = &t_last;
  weft_attention_args_init(&args, sizeof args);
  args.q = &t_q;
  args.k = args.v = &t_cache;
  args.o = &t_o;
  if (failed("plan", weft_attention_plan(attention, &batch, plan, NULL))) return 1;
  if (failed("run", weft_attention_run(attention, plan, &args, NULL))) return 1;
  args.q = NULL;
  if (weft_attention_run(attention, plan, &args, NULL) == WEFT_STATUS_OK) return 1;
  printf("without q: %s\n", weft_last_error());
  return 0;
}

int main(void) {
  int32_t pages[] = {2, 0};
  float q[kHeads * kDim] = {0}, o[kHeads * kDim], kv[kPages * kPage * kDim] = {0};
  weft_attention_t attention;
  weft_attention_plan_t plan;
  for (int token = 0; token < kTokens; ++token) {
    float* row = kv + (pages[token / kPage] * kPage + token % kPage) * kDim;
    for (int i = 0; i < kDim; ++i) row[i] = (float)(token + i);
  }
  if (make(&attention, &plan) || run(attention, plan, q, kv, o, pages)) return 1;
  weft_attention_plan_destroy(plan);
  weft_attention_destroy(attention);
  for (int i = 0; i < kHeads * kDim; ++i) {
    if (fabsf(o[i] - (2.5f + (float)(i % kDim))) > 1e-4f) return printf("o[%d] = %g\n", i, o[i]), 1;
  }
  printf("weft %s: o[0] = %g, as expected\n", weft_version(), o[0]);
  return 0;
}
