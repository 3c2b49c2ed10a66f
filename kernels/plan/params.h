// SPDX-License-Identifier: Apache-2.0
// PlanParams: what the planner kernel receives at launch, all of it device memory, and PlanResult,
// what it says of the plan it made.
#pragma once

#include "kernels/core/work.h"

namespace weft {

/// Why a batch has no plan: its lists are then empty and nothing runs.
enum class PlanError : int32_t {
  none = 0,
  too_many_requests,  // more than max_batch_size
  too_many_tokens,    // more than max_nnz_qo query tokens
  qo_indptr,          // decreases at `request`
  kv_indptr,          // decreases at `request`, or its tokens leave 31 bits
  last_page_len,      // not in 1..page_size at `request`
  // The planner packs those above into 3 bits. Found in checked mode, by
  // kernels/attention/check.cuh:
  page_id = 8,  // of `request`, outside the cache
  kv_indices,   // shorter than kv_indptr says; ragged: k and v
  rows,         // q, o or lse shorter than qo_indptr says
  mask_indptr,  // bits of `request` outside custom_mask
};

struct PlanResult {
  int64_t total_cost;  // of one lane
  int32_t batch_size;
  int32_t num_items;
  int32_t num_merges;
  int32_t partial_rows;
  int32_t active_groups;
  PlanError error;
  int32_t request;  // first one that is wrong
  int32_t zero;     // keeps the size a multiple of 8
};

struct PlanParams {
  BatchLengths lengths;
  const int32_t* num_requests;  // [1], or null: batch_size
  int32_t* work_indptr;         // [num_groups + 1]
  WorkItem* items;              // plan_capacity().items
  MergeItem* merges;            // plan_capacity().merges
  int32_t* merge_arrivals;      // [num_merges, head_lanes], set to zero
  PlanResult* result;           // [1]
  int32_t batch_size;
};

}  // namespace weft
