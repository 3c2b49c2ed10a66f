// SPDX-License-Identifier: Apache-2.0
// The CUDA backend of attention: kernels loaded in prepare, the plan made on the device, one launch
// a run. Nothing on the paths of plan and run allocates, copies, locks or waits.
#include <algorithm>
#include <limits>
#include <vector>

#include "src/base/check.h"
#include "src/cuda/backend.h"
#include "src/cuda/planner.h"
#include "src/ops/attention/kernels.h"
#include "src/ops/attention/plan.h"
#include "src/ops/attention/select_cuda.h"
#include "src/ops/attention/wgmma.h"

namespace weft {

namespace {

using detail::AttentionPlanImpl;

void check_cuda_executor(const Executor& executor) {
  if (executor.parallel_for == nullptr) return;
  fail(ErrorKind::invalid_argument, "executor.parallel_for", "nothing with CUDA", "a thread pool");
}

/// A plan's lists and the batch's arrays, copied from the device.
struct CopiedLists {
  std::vector<int32_t> work_indptr, qo_indptr, kv_indptr, last_page_len;
  std::vector<WorkItem> items;
  std::vector<MergeItem> merges;
};

/// One of a plan's lists: who executes it, where it lies, and the kernel that makes it.
struct CudaList {
  AttentionSpec spec;
  AttentionLayout layout;
  ArenaArray<PlanResult> result;
  const CudaKernel* planner = nullptr;
};

/// The planners of a config's lists: of the spec's own, of its short queries', and of the general
/// kernel's for tensors the copy engine cannot address. Two kernels run at the same time with unit
/// cuda_wgmma and share the groups; else one follows the other, and each has them all.
struct Planners {
  PlanSpec own;
  PlanSpec of_short;
  PlanSpec general;
};

Planners planners_of(const AttentionConfig& c, const AttentionSpec& spec, const Target& target) {
  const bool together = spec.unit == AttentionUnit::cuda_wgmma;
  const auto planner = [&](const ScheduleSpec& schedule, const ScheduleSpec& beside) {
    return select_planner(schedule, c.max_batch_size, c.max_nnz_qo, target,
                          together ? beside : no_requests());
  };
  return {planner(spec.schedule, spec.short_schedule), planner(spec.short_schedule, spec.schedule),
          planner(general_spec(spec).schedule, no_requests())};
}

bool has_short_list(const AttentionSpec& spec) { return !spec.short_schedule.serves_none(); }

class AttentionCuda final : public AttentionBackend {
 public:
  AttentionCuda(const AttentionConfig& config, const AttentionSpec& spec,
                const AttentionLayout& layout, const CudaBackend& cuda, Arena& arena)
      : cuda_(cuda) {
    detail::CudaState& state = cuda.state();
    const Target& target = state.device.target();
    state.store.prepare(attention_kernels(config, spec, target));
    const Planners planners = planners_of(config, spec, target);
    own_ = {spec, layout, arena.take<PlanResult>(1), &state.kernel(planners.own)};
    mma_ = &state.kernel(mma_spec(spec, target));
    if (config.checked) check_ = &state.kernel(AttentionCheckSpec{});
    if (spec.unit == AttentionUnit::cuda_wgmma) {
      wgmma_spec_ = wgmma_spec(config);
      wgmma_ = &state.kernel(wgmma_spec_);
      general_ = {general_spec(spec), attention_layout(config, general_spec(spec), arena),
                  arena.take<PlanResult>(1), &state.kernel(planners.general)};
    }
    if (!has_short_list(spec)) return;
    // Partial states where those of a list are that never runs at the same time.
    const AttentionLayout& partials = wgmma_ != nullptr ? general_.layout : own_.layout;
    short_ = {short_spec(spec), attention_layout(config, short_spec(spec), arena, &partials),
              arena.take<PlanResult>(1), &state.kernel(planners.of_short)};
    short_mma_ = &state.kernel(mma_spec(short_spec(spec), target));
  }

  std::shared_ptr<char> allocate(size_t bytes) const override {
    const auto memory = std::make_shared<DeviceMemory>(device(), bytes);
    return std::shared_ptr<char>(memory, static_cast<char*>(memory->data()));
  }

  void plan(const AttentionBatch& batch, AttentionPlanImpl& plan,
            const Executor& executor) const override;
  void run(const AttentionPlanImpl& plan, const AttentionArgs& args,
           const Executor& executor) const override;
  std::vector<PlanLists> lists(const AttentionPlanImpl& plan) const override;
  std::string status(const AttentionPlanImpl& plan) const override {
    return explain_plan_error(read(own_.result.in(plan.base), 1)[0]);
  }

 private:
  const CudaDevice& device() const { return cuda_.state().device; }
  bool has_short() const { return short_.planner != nullptr; }
  void launch_plan(const CudaList& list, const AttentionPlanImpl& plan, const CheckedBatch& batch,
                   void* stream) const;
  void launch_check(const AttentionPlanImpl& plan, const AttentionArgs& args, const CudaList& list,
                    const CudaList* beside, void* stream) const;
  const CudaList* short_list() const { return has_short() ? &short_ : nullptr; }
  void run_general(const AttentionPlanImpl& plan, const AttentionArgs& args, const CudaList& list,
                   const CudaList* shorts, bool overlaps, void* stream) const;
  void run_wgmma(const AttentionPlanImpl& plan, const AttentionArgs& args, bool overlaps,
                 void* stream) const;
  void run_slabs(const CudaKernel& kernel, const AttentionSpec& spec, const AttentionParams& bound,
                 bool overlaps, void* stream) const;
  PlanLists copy_list(const CudaList& list, const AttentionPlanImpl& plan) const;
  template <class T>
  std::vector<T> read(const T* from, size_t count) const;

  CudaBackend cuda_;  // keeps device and kernels
  CudaList own_;
  const CudaKernel* mma_ = nullptr;
  const CudaKernel* check_ = nullptr;  // checked mode only
  CudaList short_;                     // of short queries, where they have a list
  const CudaKernel* short_mma_ = nullptr;
  // Unit cuda_wgmma only.
  AttentionWgmmaSpec wgmma_spec_;
  const CudaKernel* wgmma_ = nullptr;
  CudaList general_;  // made and run instead of both; never at the same time
};

void AttentionCuda::launch_plan(const CudaList& list, const AttentionPlanImpl& plan,
                                const CheckedBatch& batch, void* stream) const {
  PlanParams p{};
  p.lengths = batch.lengths;
  p.work_indptr = list.layout.work_indptr.in(plan.base);
  p.items = list.layout.items.in(plan.base);
  p.merges = list.layout.merges.in(plan.base);
  p.merge_arrivals = list.layout.merge_arrivals.in(plan.base);
  p.result = list.result.in(plan.base);
  p.batch_size = batch.batch_size;
  launch_planner(device(), *list.planner, stream, p);
}

void AttentionCuda::plan(const AttentionBatch& batch, AttentionPlanImpl& plan,
                         const Executor& executor) const {
  CheckedBatch checked = check_attention_tensors(plan.config, batch, plan.device());
  if (plan.config.page_size > 0) {
    checked.nnz_kv = static_cast<int32_t>(
        std::min<int64_t>(batch.kv_indices.shape[0], std::numeric_limits<int32_t>::max()));
  }
  check_attention_apart(batch, plan);
  check_cuda_executor(executor);
  launch_plan(own_, plan, checked, executor.stream);
  if (has_short()) launch_plan(short_, plan, checked, executor.stream);
  hold_batch(checked, plan);
}

void AttentionCuda::launch_check(const AttentionPlanImpl& plan, const AttentionArgs& args,
                                 const CudaList& list, const CudaList* beside, void* stream) const {
  const bool nhd = plan.config.kv_layout == KvLayout::nhd;
  const size_t first = plan.config.page_size > 0 || nhd ? 0 : 1;  // dimension of pages or tokens
  AttentionCheckParams p{};
  p.lengths = plan.lengths;
  p.kv_indices = plan.kv_indices;
  p.mask_indptr = static_cast<const int32_t*>(args.mask_indptr.data);
  p.num_kv_indices = plan.nnz_kv;
  p.num_pages = std::min(args.k.shape[first], args.v.shape[first]);
  p.num_rows = std::min(args.q.shape[0], args.o.shape[0]);
  if (args.lse.given()) p.num_rows = std::min(p.num_rows, args.lse.shape[0]);
  p.mask_bytes = args.custom_mask.given() ? args.custom_mask.shape[0] : 0;
  p.work_indptr = list.layout.work_indptr.in(plan.base);
  p.result = own_.result.in(plan.base);
  p.mask = plan.config.mask;
  p.batch_size = plan.batch_size;
  p.num_groups = list.spec.schedule.num_groups;
  if (beside != nullptr) {
    p.short_work_indptr = beside->layout.work_indptr.in(plan.base);
    p.num_short_groups = beside->spec.schedule.num_groups;
  }
  launch(device(), *check_, LaunchShape{.overlaps_previous = plan.target.arch >= 90}, stream, p);
}

// One kernel behind the other: each fills the GPU, and has tiles of its own size.
void AttentionCuda::run_general(const AttentionPlanImpl& plan, const AttentionArgs& args,
                                const CudaList& list, const CudaList* shorts, bool overlaps,
                                void* stream) const {
  if (check_ != nullptr) launch_check(plan, args, list, shorts, stream);
  AttentionParams bound = bind_attention(plan, args);
  bind_list(list.layout, plan.base, bound);
  run_slabs(*mma_, list.spec, bound, overlaps, stream);
  if (shorts == nullptr) return;
  bind_list(shorts->layout, plan.base, bound);
  run_slabs(*short_mma_, shorts->spec, bound, plan.target.arch >= 90, stream);
}

// Slabs share the plan, its counters and its partial states: each waits for the one before.
void AttentionCuda::run_slabs(const CudaKernel& kernel, const AttentionSpec& spec,
                              const AttentionParams& bound, bool overlaps, void* stream) const {
  for (int slab = 0; slab < num_slabs(spec); ++slab) {
    const LaunchShape shape{.num_ctas = spec.schedule.num_workers(), .overlaps_previous = overlaps};
    launch(device(), kernel, shape, stream, mma_params(spec, slab_of(spec, bound, slab)));
  }
}

// Two kernels at the same time: CTAs without work of the first make room for the second, whose
// first CTAs are those with work (kernels/core/share.h deals the groups).
void AttentionCuda::run_wgmma(const AttentionPlanImpl& plan, const AttentionArgs& args,
                              bool overlaps, void* stream) const {
  const CudaList* const beside = short_list();
  if (check_ != nullptr) launch_check(plan, args, own_, beside, stream);
  const ScheduleSpec& schedule = own_.spec.schedule;
  AttentionParams bound = bind_attention(plan, args);
  WgmmaBinding binding = bind_wgmma(plan.config, wgmma_spec_, schedule, args, bound);
  const LaunchShape shape{.num_ctas = schedule.num_workers(), .overlaps_previous = overlaps};
  launch(device(), *wgmma_, shape, stream, encode_maps(device(), binding));
  if (beside == nullptr) return;
  bind_list(short_.layout, plan.base, bound);
  AttentionMmaParams p = mma_params(short_.spec, bound);
  p.beside = 1;
  const LaunchShape short_shape{.num_ctas = short_.spec.schedule.num_workers(),
                                .overlaps_previous = true};
  launch(device(), *short_mma_, short_shape, stream, p);
}

void AttentionCuda::run(const AttentionPlanImpl& plan, const AttentionArgs& args,
                        const Executor& executor) const {
  check_cuda_executor(executor);
  // Planner and check write what the kernel reads before it waits for them.
  const bool overlaps = plan.target.arch >= 90 && !plan.fresh && check_ == nullptr;
  if (wgmma_ == nullptr) {
    run_general(plan, args, own_, short_list(), overlaps, executor.stream);
  } else if (wgmma_can_read(args)) {
    run_wgmma(plan, args, overlaps, executor.stream);
  } else {
    const CheckedBatch batch{.lengths = plan.lengths, .batch_size = plan.batch_size};
    launch_plan(general_, plan, batch, executor.stream);
    run_general(plan, args, general_, nullptr, false, executor.stream);
  }
  plan.fresh = false;
}

template <class T>
std::vector<T> AttentionCuda::read(const T* from, size_t count) const {
  std::vector<T> values(count);
  if (count == 0) return values;
  const ContextScope current(device());
  const cu::Driver& driver = device().driver();
  driver.check(driver.context_synchronize(), "cuCtxSynchronize");
  driver.check(driver.copy_to_host(values.data(), reinterpret_cast<cu::Address>(from),
                                   count * sizeof(T), nullptr),
               "cuMemcpyDtoHAsync");
  driver.check(driver.stream_synchronize(nullptr), "cuStreamSynchronize");
  return values;
}

PlanLists AttentionCuda::copy_list(const CudaList& list, const AttentionPlanImpl& plan) const {
  const auto count = [](int64_t n) { return static_cast<size_t>(n); };
  const PlanResult r = read(list.result.in(plan.base), 1)[0];
  const auto n = count(plan.batch_size);
  const auto copies = std::make_shared<CopiedLists>();
  copies->work_indptr =
      read(list.layout.work_indptr.in(plan.base), count(list.spec.schedule.num_groups) + 1);
  copies->items = read(list.layout.items.in(plan.base), count(r.num_items));
  copies->merges = read(list.layout.merges.in(plan.base), count(r.num_merges));
  copies->qo_indptr = read(plan.lengths.qo_indptr, n + 1);
  copies->kv_indptr = read(plan.lengths.kv_indptr, n + 1);
  if (plan.config.page_size > 0) copies->last_page_len = read(plan.lengths.last_page_len, n);
  PlanLists lists;
  lists.schedule = list.spec.schedule;
  lists.summary = {r.batch_size,   r.num_items,     r.num_merges,
                   r.partial_rows, r.active_groups, r.total_cost};
  lists.work_indptr = copies->work_indptr.data();
  lists.items = copies->items.data();
  lists.merges = copies->merges.data();
  lists.lengths = {copies->qo_indptr.data(), copies->kv_indptr.data(), copies->last_page_len.data(),
                   plan.config.page_size};
  lists.nnz_qo = copies->qo_indptr.back();
  lists.owner = copies;
  return lists;
}

std::vector<PlanLists> AttentionCuda::lists(const AttentionPlanImpl& plan) const {
  std::vector<PlanLists> lists{copy_list(own_, plan)};
  if (has_short()) lists.push_back(copy_list(short_, plan));
  return lists;
}

}  // namespace

std::vector<KernelRequest> attention_kernels(const AttentionConfig& config,
                                             const AttentionSpec& spec, const Target& target) {
  const Planners planners = planners_of(config, spec, target);
  std::vector<KernelRequest> requests{kernel_request(planners.own, target.arch),
                                      kernel_request(mma_spec(spec, target), target.arch)};
  if (config.checked) requests.push_back(kernel_request(AttentionCheckSpec{}, target.arch));
  if (spec.unit == AttentionUnit::cuda_wgmma) {
    requests.push_back(kernel_request(wgmma_spec(config), target.arch));
    requests.push_back(kernel_request(planners.general, target.arch));
  }
  if (has_short_list(spec)) {
    requests.push_back(kernel_request(planners.of_short, target.arch));
    requests.push_back(kernel_request(mma_spec(short_spec(spec), target), target.arch));
  }
  return requests;
}

std::shared_ptr<const AttentionBackend> make_attention_cuda(const AttentionConfig& config,
                                                            const AttentionSpec& spec,
                                                            const AttentionLayout& layout,
                                                            const CudaBackend& cuda, Arena& arena) {
  return std::make_shared<AttentionCuda>(config, spec, layout, cuda, arena);
}

}  // namespace weft
