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

namespace weft {

namespace {

using detail::AttentionPlanImpl;

PlanSpec planner_of(const AttentionConfig& config, const AttentionSpec& spec,
                    const Target& target) {
  return select_planner(spec.schedule, config.max_batch_size, config.max_nnz_qo, target);
}

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

class AttentionCuda final : public AttentionBackend {
 public:
  AttentionCuda(const AttentionConfig& config, const AttentionSpec& spec, const CudaBackend& cuda,
                Arena& arena)
      : cuda_(cuda) {
    detail::CudaState& state = cuda.state();
    const Target& target = state.device.target();
    state.store.prepare(attention_kernels(config, spec, target));
    planner_ = &state.kernel(planner_of(config, spec, target));
    kernel_ = &state.kernel(mma_spec(spec, target));
    if (config.checked) check_ = &state.kernel(AttentionCheckSpec{});
    result_ = arena.take<PlanResult>(1);
  }

  std::shared_ptr<char> allocate(size_t bytes) const override {
    const auto memory = std::make_shared<DeviceMemory>(device(), bytes);
    return std::shared_ptr<char>(memory, static_cast<char*>(memory->data()));
  }

  void plan(const AttentionBatch& batch, AttentionPlanImpl& plan,
            const Executor& executor) const override;
  void run(const AttentionPlanImpl& plan, const AttentionArgs& args,
           const Executor& executor) const override;
  PlanSummary summary(const AttentionPlanImpl& plan) const override;
  PlanLists lists(const AttentionPlanImpl& plan) const override;
  std::string status(const AttentionPlanImpl& plan) const override {
    return explain_plan_error(result(plan));
  }

 private:
  const CudaDevice& device() const { return cuda_.state().device; }
  void launch_check(const AttentionPlanImpl& plan, const AttentionArgs& args, void* stream) const;
  PlanResult result(const AttentionPlanImpl& plan) const;
  template <class T>
  std::vector<T> read(const T* from, size_t count) const;

  CudaBackend cuda_;  // keeps device and kernels
  const CudaKernel* planner_ = nullptr;
  const CudaKernel* kernel_ = nullptr;
  const CudaKernel* check_ = nullptr;  // checked mode only
  ArenaArray<PlanResult> result_;
};

void AttentionCuda::plan(const AttentionBatch& batch, AttentionPlanImpl& plan,
                         const Executor& executor) const {
  CheckedBatch checked = check_attention_tensors(plan.config, batch, plan.device());
  if (plan.config.page_size > 0) {
    checked.nnz_kv = static_cast<int32_t>(
        std::min<int64_t>(batch.kv_indices.shape[0], std::numeric_limits<int32_t>::max()));
  }
  check_attention_apart(batch, plan);
  check_cuda_executor(executor);
  PlanParams p{};
  p.lengths = checked.lengths;
  p.work_indptr = plan.layout.work_indptr.in(plan.base);
  p.items = plan.layout.items.in(plan.base);
  p.merges = plan.layout.merges.in(plan.base);
  p.merge_arrivals = plan.layout.merge_arrivals.in(plan.base);
  p.result = result_.in(plan.base);
  p.batch_size = checked.batch_size;
  launch_planner(device(), *planner_, executor.stream, p);
  hold_batch(checked, plan);
}

void AttentionCuda::launch_check(const AttentionPlanImpl& plan, const AttentionArgs& args,
                                 void* stream) const {
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
  p.work_indptr = plan.layout.work_indptr.in(plan.base);
  p.result = result_.in(plan.base);
  p.mask = plan.config.mask;
  p.batch_size = plan.batch_size;
  p.num_groups = plan.spec.schedule.num_groups;
  launch(device(), *check_, LaunchShape{.overlaps_previous = plan.target.arch >= 90}, stream, p);
}

void AttentionCuda::run(const AttentionPlanImpl& plan, const AttentionArgs& args,
                        const Executor& executor) const {
  check_cuda_executor(executor);
  if (check_ != nullptr) launch_check(plan, args, executor.stream);
  const AttentionMmaParams p = mma_params(plan.spec, bind_attention(plan, args));
  // Planner and check write what the kernel reads before it waits for them.
  const bool overlaps = plan.target.arch >= 90 && !plan.fresh && check_ == nullptr;
  const LaunchShape shape{.num_ctas = plan.spec.schedule.num_workers(),
                          .overlaps_previous = overlaps};
  launch(device(), *kernel_, shape, executor.stream, p);
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

PlanResult AttentionCuda::result(const AttentionPlanImpl& plan) const {
  return read(result_.in(plan.base), 1)[0];
}

PlanSummary AttentionCuda::summary(const AttentionPlanImpl& plan) const {
  const PlanResult r = result(plan);
  return {r.batch_size, r.num_items, r.num_merges, r.partial_rows, r.active_groups, r.total_cost};
}

PlanLists AttentionCuda::lists(const AttentionPlanImpl& plan) const {
  PlanLists lists;
  lists.summary = summary(plan);
  const auto count = [](int64_t n) { return static_cast<size_t>(n); };
  const auto n = count(plan.batch_size);
  const auto copies = std::make_shared<CopiedLists>();
  copies->work_indptr =
      read(plan.layout.work_indptr.in(plan.base), count(plan.spec.schedule.num_groups) + 1);
  copies->items = read(plan.layout.items.in(plan.base), count(lists.summary.num_items));
  copies->merges = read(plan.layout.merges.in(plan.base), count(lists.summary.num_merges));
  copies->qo_indptr = read(plan.lengths.qo_indptr, n + 1);
  copies->kv_indptr = read(plan.lengths.kv_indptr, n + 1);
  if (plan.config.page_size > 0) copies->last_page_len = read(plan.lengths.last_page_len, n);
  lists.work_indptr = copies->work_indptr.data();
  lists.items = copies->items.data();
  lists.merges = copies->merges.data();
  lists.lengths = {copies->qo_indptr.data(), copies->kv_indptr.data(), copies->last_page_len.data(),
                   plan.config.page_size};
  lists.nnz_qo = copies->qo_indptr.back();
  lists.owner = copies;
  return lists;
}

}  // namespace

std::vector<KernelRequest> attention_kernels(const AttentionConfig& config,
                                             const AttentionSpec& spec, const Target& target) {
  std::vector<KernelRequest> requests{kernel_request(planner_of(config, spec, target), target.arch),
                                      kernel_request(mma_spec(spec, target), target.arch)};
  if (config.checked) requests.push_back(kernel_request(AttentionCheckSpec{}, target.arch));
  return requests;
}

std::shared_ptr<const AttentionBackend> make_attention_cuda(const AttentionConfig& config,
                                                            const AttentionSpec& spec,
                                                            const CudaBackend& cuda, Arena& arena) {
  return std::make_shared<AttentionCuda>(config, spec, cuda, arena);
}

}  // namespace weft
