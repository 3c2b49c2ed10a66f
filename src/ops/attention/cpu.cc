// SPDX-License-Identifier: Apache-2.0
// The CPU backend of attention: finds the unit's code and drains the plan's workers.
#include <algorithm>
#include <new>
#include <string>

#include "src/base/check.h"
#include "src/cpu/parallel.h"
#include "src/ops/attention/cpu/unit.h"
#include "src/ops/attention/plan.h"

namespace weft {

const AttentionCpuUnit& attention_cpu_unit(AttentionUnit unit) {
  switch (unit) {
    case AttentionUnit::cpu_scalar:
      return kAttentionScalar;
#if defined(__x86_64__)
    case AttentionUnit::cpu_avx2:
      return kAttentionAvx2;
    case AttentionUnit::cpu_avx512:
      return kAttentionAvx512;
    case AttentionUnit::cpu_avx512_bf16:
      return kAttentionAvx512Bf16;
    case AttentionUnit::cpu_amx_bf16:
      return kAttentionAmxBf16;
#endif
    default:
      fail(ErrorKind::unsupported, "unit", "one built for this architecture", name_of(unit));
  }
}

void attention_cpu_worker(const AttentionCpuUnit& unit, const AttentionSpec& spec,
                          const AttentionParams& params, std::atomic<int>& ticket, void* scratch) {
  const int lanes = spec.schedule.head_lanes;
  const int workers = spec.schedule.num_workers();
  unit.begin(spec, scratch);
  for (int w; (w = ticket.fetch_add(1, std::memory_order_relaxed)) < workers;) {
    const int group = w / lanes;
    const int32_t begin = params.work_indptr[group];
    unit.run_items(spec, params, params.items + begin, params.work_indptr[group + 1] - begin,
                   w % lanes, scratch);
  }
  unit.end();
}

namespace {

using detail::AttentionPlanImpl;

class AttentionCpu final : public AttentionBackend {
 public:
  AttentionCpu(const AttentionSpec& spec, const Target& target, Arena& arena)
      : unit_(attention_cpu_unit(spec.unit)), scratch_stride_(unit_.scratch_bytes(spec)) {
    ticket_ = arena.take<std::atomic<int>>(1);
    scratch_ = arena.take<char>(scratch_stride_ * static_cast<size_t>(target.num_threads));
  }

  std::shared_ptr<char> allocate(size_t bytes) const override {
    const std::align_val_t align{kArenaAlign};
    return std::shared_ptr<char>(static_cast<char*>(::operator new(bytes, align)),
                                 [align](char* memory) { ::operator delete(memory, align); });
  }

  void plan(const AttentionBatch& batch, AttentionPlanImpl& plan,
            const Executor& executor) const override {
    check_executor(executor);
    const CheckedBatch checked = check_attention_batch(plan.config, batch);
    check_attention_cost(checked, plan);
    check_attention_apart(batch, plan);
    schedule_attention(checked, plan);
  }

  void run(const AttentionPlanImpl& plan, const AttentionArgs& args,
           const Executor& executor) const override {
    check_executor(executor);
    if (plan.summary.num_items == 0) return;
    const AttentionParams params = bind_attention(plan, args);
    std::atomic<int>& ticket = *new (ticket_.in(plan.base)) std::atomic<int>(0);
    const int threads = std::min({plan.target.num_threads, num_threads(executor),
                                  plan.summary.num_items * plan.spec.schedule.head_lanes});
    parallel_for(executor, threads, [&](int thread) {
      char* scratch = scratch_.in(plan.base) + thread * scratch_stride_;
      attention_cpu_worker(unit_, plan.spec, params, ticket, scratch);
    });
  }

  std::vector<PlanLists> lists(const AttentionPlanImpl& plan) const override {
    return {{plan.spec.schedule, plan.summary, plan.lengths, plan.layout.work_indptr.in(plan.base),
             plan.layout.items.in(plan.base), plan.layout.merges.in(plan.base), plan.nnz_qo,
             nullptr}};
  }

  std::string status(const AttentionPlanImpl&) const override { return {}; }

 private:
  const AttentionCpuUnit& unit_;
  size_t scratch_stride_;
  ArenaArray<std::atomic<int>> ticket_;
  ArenaArray<char> scratch_;  // num_threads slots of scratch_stride_ bytes
};

}  // namespace

std::shared_ptr<const AttentionBackend> make_attention_cpu(const AttentionSpec& spec,
                                                           const Target& target, Arena& arena) {
  return std::make_shared<AttentionCpu>(spec, target, arena);
}

}  // namespace weft
