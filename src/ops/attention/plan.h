// SPDX-License-Identifier: Apache-2.0
// What stands behind Attention and AttentionPlan: the spec, the layout of the workspace, and the
// planned batch. Shared by this operator's rooms only.
#pragma once

#include <atomic>
#include <memory>

#include "kernels/attention/params.h"
#include "kernels/attention/spec.h"
#include "src/plan/arena.h"
#include "src/plan/partition.h"
#include "weft/attention.h"

namespace weft {

/// Offsets of every buffer in a workspace: a function of config and target only.
struct AttentionLayout {
  ArenaArray<int32_t> work_indptr;
  ArenaArray<WorkItem> items;
  ArenaArray<MergeItem> merges;
  ArenaArray<int32_t> merge_arrivals;
  ArenaArray<float> partial_o;
  ArenaArray<float> partial_m;
  ArenaArray<float> partial_d;
  ArenaArray<std::atomic<int>> ticket;
  ArenaArray<char> scratch;  // num_threads slots of scratch_stride bytes
  size_t scratch_stride = 0;
  int partial_rows = 0;
  size_t bytes = 0;
};

AttentionLayout attention_layout(const AttentionConfig& config, const Target& target,
                                 const AttentionSpec& spec);

namespace detail {

struct AttentionImpl {
  AttentionConfig config;
  Target target;
  AttentionSpec spec;
  AttentionLayout layout;
};

struct AttentionPlanImpl {
  explicit AttentionPlanImpl(const AttentionImpl& from)
      : config(from.config), target(from.target), spec(from.spec), layout(from.layout) {}

  const AttentionConfig config;  // copies, so that a plan may outlive its Attention
  const Target target;
  const AttentionSpec spec;
  const AttentionLayout layout;
  std::unique_ptr<char[]> owned;  // when the caller brought no workspace
  char* base = nullptr;

  bool planned = false;
  PlanSummary summary;
  BatchLengths lengths;
  const int32_t* kv_indices = nullptr;
  int32_t nnz_qo = 0;
  int32_t nnz_kv = 0;        // ragged: tokens; paged: pages
  int32_t max_page_id = -1;  // checked mode only
};

}  // namespace detail

/// Checks `batch` against the limits. Returns the plan's view of it; throws before any change.
struct CheckedBatch {
  BatchLengths lengths;
  const int32_t* kv_indices = nullptr;
  int32_t batch_size = 0;
  int32_t nnz_qo = 0;
  int32_t nnz_kv = 0;
  int32_t max_page_id = -1;
};
CheckedBatch check_attention_batch(const AttentionConfig& config, const AttentionBatch& batch);

/// Checks what a plan asks of a checked batch beside the config: work that an int64 counts, and
/// arrays apart from the workspace; throws before any change.
void check_attention_plan(const AttentionBatch& batch, const CheckedBatch& checked,
                          const detail::AttentionPlanImpl& plan);

/// Checks one layer's arguments against the config and the planned batch; throws before a write.
void check_attention_args(const detail::AttentionPlanImpl& plan, const AttentionArgs& args);

/// Writes the schedule of a checked batch into the plan's buffers.
void schedule_attention(const CheckedBatch& batch, detail::AttentionPlanImpl& plan);

/// Arguments and plan as the kernels read them.
AttentionParams bind_attention(const detail::AttentionPlanImpl& plan, const AttentionArgs& args);

}  // namespace weft
