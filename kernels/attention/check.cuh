// SPDX-License-Identifier: Apache-2.0
// check_attention_batch: checked mode on a device. Reads every number of a planned batch against
// the sizes of a layer's tensors; a batch that does not fit loses its work, so that the attention
// kernel behind it reads and writes nothing, and the plan's result says why. One CTA.
#pragma once

#include "kernels/attention/check_params.h"
#include "kernels/attention/check_spec.h"
#include "kernels/ptx/griddep.cuh"

namespace weft {
namespace attention_check {

inline constexpr uint32_t kFine = 0xffffffffu;
inline constexpr uint32_t kCodes = 16;  // PlanErrors a request's place is multiplied by

__device__ __forceinline__ uint32_t encode(int32_t request, PlanError error) {
  return static_cast<uint32_t>(request) * kCodes + static_cast<uint32_t>(error);
}

/// What is wrong with request r beside its page ids, or kFine.
__device__ __forceinline__ uint32_t check_request(const AttentionCheckParams& p, int32_t r) {
  const BatchLengths& b = p.lengths;
  if (b.qo_indptr[r] < 0 || b.qo_indptr[r + 1] > p.num_rows) return encode(r, PlanError::rows);
  const int64_t kv_size = p.kv_indices != nullptr ? p.num_kv_indices : p.num_pages;
  if (b.kv_indptr[r] < 0 || b.kv_indptr[r + 1] > kv_size) {
    return encode(r, PlanError::kv_indices);
  }
  if (p.mask_indptr == nullptr) return kFine;
  const int64_t columns = p.mask == MaskMode::custom ? b.kv_len(r) : b.qo_len(r);
  const int64_t bytes = (b.qo_len(r) * columns + 7) / 8;
  const int64_t begin = p.mask_indptr[r];
  return begin >= 0 && begin + bytes <= p.mask_bytes ? kFine : encode(r, PlanError::mask_indptr);
}

/// The last request whose pages begin at or before place i of kv_indices.
__device__ __forceinline__ int32_t request_at(const AttentionCheckParams& p, int32_t i) {
  int32_t begin = 0;
  int32_t end = p.batch_size;
  while (end - begin > 1) {
    const int32_t middle = (begin + end) / 2;
    (p.lengths.kv_indptr[middle] <= i ? begin : end) = middle;
  }
  return begin;
}

/// Takes the batch's work away, that of an earlier failure too: a plan may have been made since.
template <AttentionCheckSpec spec>
__device__ __forceinline__ void clear_work(const AttentionCheckParams& p) {
  const int32_t thread = static_cast<int32_t>(threadIdx.x);
  for (int32_t g = thread; g <= p.num_groups; g += spec.num_threads) p.work_indptr[g] = 0;
  if (p.short_work_indptr == nullptr) return;
  for (int32_t g = thread; g <= p.num_short_groups; g += spec.num_threads) {
    p.short_work_indptr[g] = 0;
  }
}

}  // namespace attention_check

/// REQUIRES: one CTA of spec.num_threads.
template <AttentionCheckSpec spec>
__device__ __forceinline__ void check_attention_batch(const AttentionCheckParams& p) {
  using namespace attention_check;
  __shared__ uint32_t first;
  const int32_t thread = static_cast<int32_t>(threadIdx.x);
  if (thread == 0) first = kFine;
  griddep_wait();
  if (p.result->error != PlanError::none) return clear_work<spec>(p);

  uint32_t error = kFine;
  for (int32_t r = thread; r < p.batch_size; r += spec.num_threads) {
    error = min_of(error, check_request(p, r));
  }
  if (!__syncthreads_or(error != kFine) && p.kv_indices != nullptr) {
    const int32_t end = p.lengths.kv_indptr[p.batch_size];
    for (int32_t i = p.lengths.kv_indptr[0] + thread; i < end; i += spec.num_threads) {
      const int32_t id = p.kv_indices[i];
      if (id >= 0 && id < p.num_pages) continue;
      error = encode(request_at(p, i), PlanError::page_id);
      break;  // a thread meets its own in ascending order
    }
  }
  if (error != kFine) atomicMin(&first, error);
  __syncthreads();
  if (first == kFine) return;
  clear_work<spec>(p);
  if (thread == 0) {
    *p.result = PlanResult{0,
                           p.batch_size,
                           0,
                           0,
                           0,
                           1,
                           static_cast<PlanError>(first % kCodes),
                           static_cast<int32_t>(first / kCodes),
                           0};
  }
  griddep_publish();
}

}  // namespace weft
