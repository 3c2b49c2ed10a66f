/* SPDX-License-Identifier: Apache-2.0
 * A small engine step written in C: append, attention, merge, rope through c_api.h alone. Shared by
 * abi_program.c (C11) and abi_test.cc, which runs the same step through the C++ API. */
#ifndef TESTS_CAPI_ABI_PROGRAM_H_
#define TESTS_CAPI_ABI_PROGRAM_H_

#include <stdint.h>

enum {
  kRequests = 2,
  kQueries = 4, /* 3 of request 0, 1 of request 1; the last tokens of each */
  kPageTokens = 4,
  kNumPages = 6,
  kUsedPages = 4,
  kQoHeads = 4,
  kKvHeads = 2,
  kHeadDim = 16,
  kStates = 3
};

/* Inputs are filled by the test; everything from `batch_indices` on is written by the step. */
typedef struct capi_step {
  float q[kQueries * kQoHeads * kHeadDim];
  float k[kQueries * kKvHeads * kHeadDim];
  float v[kQueries * kKvHeads * kHeadDim];
  float states[kQueries * kStates * kQoHeads * kHeadDim];
  float states_lse[kQueries * kStates * kQoHeads];
  float k_cache[kNumPages * kPageTokens * kKvHeads * kHeadDim];
  float v_cache[kNumPages * kPageTokens * kKvHeads * kHeadDim];
  float sm_scale;

  int32_t batch_indices[kQueries];
  int32_t positions[kQueries];
  float q_rotated[kQueries * kQoHeads * kHeadDim];
  float o[kQueries * kQoHeads * kHeadDim];
  float lse[kQueries * kQoHeads];
  float merged[kQueries * kQoHeads * kHeadDim];
  float merged_lse[kQueries * kQoHeads];
  float pair[kQueries * kQoHeads * kHeadDim];
  float roped[kQueries * kQoHeads * kHeadDim];
} capi_step;

/* The batch: new tokens end each request's KV of 6 and 5 tokens. */
static const int32_t kQoIndptr[kRequests + 1] = {0, 3, 4};
static const int32_t kKvLens[kRequests] = {6, 5};
static const int32_t kKvIndptr[kRequests + 1] = {0, 2, 4};
static const int32_t kKvIndices[kUsedPages] = {5, 0, 3, 2};
static const int32_t kLastPageLen[kRequests] = {2, 1};

#ifdef __cplusplus
extern "C" {
#endif

/* NULL, or which call went wrong: "name: status: message". */
const char* capi_program_run(capi_step* step);

/* NULL, or what was not as the header says: names, versions, targets, text. */
const char* capi_program_words(void);

#ifdef __cplusplus
}
#endif

#endif /* TESTS_CAPI_ABI_PROGRAM_H_ */
