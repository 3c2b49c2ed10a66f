// SPDX-License-Identifier: Apache-2.0
// What stands behind Attention and AttentionPlan: the spec, the layout of the workspace, the
// planned batch, and the seam behind which devices differ. Shared by this operator's rooms only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/attention/params.h"
#include "kernels/attention/spec.h"
#include "src/plan/arena.h"
#include "src/plan/partition.h"
#include "weft/attention.h"

namespace weft {

/// Offsets in a workspace of what every device keeps there: a function of config and target only.
/// A backend adds arrays of its own behind them.
struct AttentionLayout {
  ArenaArray<int32_t> work_indptr;
  ArenaArray<WorkItem> items;
  ArenaArray<MergeItem> merges;
  ArenaArray<int32_t> merge_arrivals;
  ArenaArray<float> partial_o;
  ArenaArray<float> partial_m;
  ArenaArray<float> partial_d;
  int partial_rows = 0;
  size_t bytes = 0;  // the backend's arrays included
};

/// Of a list by `spec.schedule`. `partials`: of a list that never runs at the same time, whose
/// partial states' memory this one uses.
AttentionLayout attention_layout(const AttentionConfig& config, const AttentionSpec& spec,
                                 Arena& arena, const AttentionLayout* partials = nullptr);

/// One list of a plan where the host can read it: in its workspace, or copied from it.
struct PlanLists {
  ScheduleSpec schedule;
  PlanSummary summary;
  BatchLengths lengths;
  const int32_t* work_indptr = nullptr;
  const WorkItem* items = nullptr;
  const MergeItem* merges = nullptr;
  int32_t nnz_qo = 0;
  std::shared_ptr<const void> owner;  // of copies
};

namespace detail {
struct AttentionPlanImpl;
}

/// What a device does its own way. Immutable and thread-safe; an Attention shares it with its
/// plans.
class AttentionBackend {
 public:
  virtual ~AttentionBackend() = default;

  /// Memory for a workspace that the caller did not bring, aligned to kArenaAlign.
  virtual std::shared_ptr<char> allocate(size_t bytes) const = 0;
  /// Checks a batch and has its schedule written into the plan's buffers.
  virtual void plan(const AttentionBatch& batch, detail::AttentionPlanImpl& plan,
                    const Executor& executor) const = 0;
  /// Executes a planned batch. REQUIRES: `args` checked.
  virtual void run(const detail::AttentionPlanImpl& plan, const AttentionArgs& args,
                   const Executor& executor) const = 0;
  /// For people and tests, of a plan that holds a batch. On a device they wait for all its work.
  /// The list of spec.schedule comes first; behind it that of spec.short_schedule, if it serves
  /// any.
  virtual std::vector<PlanLists> lists(const detail::AttentionPlanImpl& plan) const = 0;
  virtual std::string status(const detail::AttentionPlanImpl& plan) const = 0;
};

std::shared_ptr<const AttentionBackend> make_attention_cpu(const AttentionSpec& spec,
                                                           const Target& target, Arena& arena);
std::shared_ptr<const AttentionBackend> make_attention_cuda(const AttentionConfig& config,
                                                            const AttentionSpec& spec,
                                                            const AttentionLayout& layout,
                                                            const CudaBackend& cuda, Arena& arena);

namespace detail {

struct AttentionImpl {
  AttentionConfig config;
  Target target;
  AttentionSpec spec;
  AttentionLayout layout;
  std::shared_ptr<const AttentionBackend> backend;
};

struct AttentionPlanImpl {
  explicit AttentionPlanImpl(const AttentionImpl& from)
      : config(from.config),
        target(from.target),
        spec(from.spec),
        layout(from.layout),
        backend(from.backend) {}

  Device device() const { return {target.device, target.device_index}; }

  const AttentionConfig config;  // copies, so that a plan may outlive its Attention
  const Target target;
  const AttentionSpec spec;
  const AttentionLayout layout;
  const std::shared_ptr<const AttentionBackend> backend;
  std::shared_ptr<char> owned;  // when the caller brought no workspace
  char* base = nullptr;

  bool planned = false;
  /// No run since the plan was made. CUDA: that run may not overlap what is ahead of it in the
  /// stream, since the kernel reads the plan before it waits. Changed by `run`, of which a plan has
  /// one at a time.
  mutable bool fresh = false;
  BatchLengths lengths;  // on the target's device, as kv_indices
  const int32_t* kv_indices = nullptr;
  int32_t batch_size = 0;
  // Known where the host reads the batch; on a device 0, or the size of kv_indices.
  int32_t nnz_qo = 0;
  int32_t nnz_kv = 0;        // ragged: tokens; paged: pages
  int32_t max_page_id = -1;  // checked mode only
  PlanSummary summary;
};

}  // namespace detail

/// What the checks of a batch leave for the plan.
struct CheckedBatch {
  BatchLengths lengths;
  const int32_t* kv_indices = nullptr;
  int32_t batch_size = 0;
  int32_t nnz_qo = 0;
  int32_t nnz_kv = 0;
  int32_t max_page_id = -1;
};

/// Checks the tensors of `batch`, which lie on `device`, and reads none of them.
CheckedBatch check_attention_tensors(const AttentionConfig& config, const AttentionBatch& batch,
                                     Device device);

/// The same on the host, and every number against the limits. Throws before any change.
CheckedBatch check_attention_batch(const AttentionConfig& config, const AttentionBatch& batch);

/// Checks what a plan asks of a batch on the host beside the config: work that an int64 counts.
void check_attention_cost(const CheckedBatch& checked, const detail::AttentionPlanImpl& plan);

/// Checks that the arrays of a batch are apart from the workspace.
void check_attention_apart(const AttentionBatch& batch, const detail::AttentionPlanImpl& plan);

/// Checks one layer's arguments against the config and the planned batch; throws before a write.
void check_attention_args(const detail::AttentionPlanImpl& plan, const AttentionArgs& args);

/// Records a checked batch in the plan.
void hold_batch(const CheckedBatch& batch, detail::AttentionPlanImpl& plan);

/// Writes the schedule of a checked batch on the host into the plan's buffers.
void schedule_attention(const CheckedBatch& batch, detail::AttentionPlanImpl& plan);

/// Arguments and the plan's first list as the kernels read them.
AttentionParams bind_attention(const detail::AttentionPlanImpl& plan, const AttentionArgs& args);

/// Replaces the list by one that lies at `layout` in the workspace `base`.
void bind_list(const AttentionLayout& layout, char* base, AttentionParams& params);

}  // namespace weft
