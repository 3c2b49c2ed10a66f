// SPDX-License-Identifier: Apache-2.0
// A whole user of weft in C++: one request of six tokens in two pages, one query token, planned and
// run on the CPU. q = 0 makes every weight equal, so the answer is the mean of the values. The
// system's error.h is found beside weft's.
#include <error.h>
#include <weft/weft.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

int main() {
  static_assert(sizeof(&::error) > 0);
  using weft::DType;
  constexpr int kHeads = 2, kDim = 16, kPage = 4, kPages = 3, kTokens = 6;
  const weft::AttentionConfig config{.dtype_q = DType::f32,
                                     .dtype_kv = DType::f32,
                                     .num_qo_heads = kHeads,
                                     .num_kv_heads = 1,
                                     .head_dim_qk = kDim,
                                     .page_size = kPage,
                                     .max_batch_size = 8,
                                     .max_nnz_qo = 64};
  const int32_t qo_indptr[] = {0, 1}, kv_indptr[] = {0, 2}, pages[] = {2, 0}, last_page_len[] = {2};
  std::vector<float> q(kHeads * kDim, 0.0f), o(kHeads * kDim), kv(kPages * kPage * kDim, 100.0f);
  for (int token = 0; token < kTokens; ++token) {
    float* row = &kv[(pages[token / kPage] * kPage + token % kPage) * kDim];
    for (int i = 0; i < kDim; ++i) row[i] = static_cast<float>(token + i);
  }
  const weft::TensorView cache(kv.data(), DType::f32, {kPages, kPage, 1, kDim});
  weft::AttentionArgs args;
  args.q = {q.data(), DType::f32, {1, kHeads, kDim}};
  args.o = {o.data(), DType::f32, {1, kHeads, kDim}};
  args.k = args.v = cache;

  const weft::Attention attention(config);
  weft::AttentionPlan plan = attention.create_plan();
  attention.plan({.qo_indptr = {qo_indptr, DType::i32, {2}},
                  .kv_indptr = {kv_indptr, DType::i32, {2}},
                  .kv_indices = {pages, DType::i32, {2}},
                  .last_page_len = {last_page_len, DType::i32, {1}}},
                 plan);
  attention.run(plan, args);
  for (int i = 0; i < kDim; ++i) {
    if (std::abs(o[i] - (2.5f + i)) > 1e-4f) return std::printf("o[%d] = %g\n", i, o[i]), 1;
  }
  std::printf("weft %s: o[0] = %g, as expected\n", weft::version(), o[0]);
}
