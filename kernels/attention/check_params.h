// SPDX-License-Identifier: Apache-2.0
// AttentionCheckParams: what checked mode compares on a device: the numbers of a batch with the
// sizes of the tensors they point into.
#pragma once

#include "kernels/core/variant.h"
#include "kernels/core/work.h"
#include "kernels/plan/params.h"

namespace weft {

struct AttentionCheckParams {
  BatchLengths lengths;
  const int32_t* kv_indices;   // [num_kv_indices], or null: ragged
  const int32_t* mask_indptr;  // [batch_size + 1] byte offsets, or null
  int64_t num_kv_indices;
  int64_t num_pages;     // ragged: tokens of k and v
  int64_t num_rows;      // of q, o and lse
  int64_t mask_bytes;    // of custom_mask
  int32_t* work_indptr;  // [num_groups + 1], zeroed when something is wrong
  PlanResult* result;    // [1], then says what
  MaskMode mask;
  int32_t batch_size;
  int32_t num_groups;
  int32_t* short_work_indptr;  // [num_short_groups + 1]: the plan's other list, or null
  int32_t num_short_groups;
};

}  // namespace weft
