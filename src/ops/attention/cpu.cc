// SPDX-License-Identifier: Apache-2.0
// The CPU backend of attention: finds the unit's code and drains the plan's workers.
#include <algorithm>
#include <new>
#include <string>

#include "src/base/check.h"
#include "src/cpu/parallel.h"
#include "src/ops/attention/cpu/abreast.h"
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

namespace {

// How many lanes of a group one thread takes: as many as walk side by side, while as much work is
// left for each of the others.
int lanes_at_once(const AttentionSpec& spec, const AttentionParams& params, int group,
                  int workers_left, int threads) {
  int lanes = min_of(spec.schedule.head_lanes, max_of(1, workers_left / threads));
  for (int32_t i = params.work_indptr[group]; lanes > 1 && i < params.work_indptr[group + 1]; ++i) {
    const Tile tile = make_tile(spec, params, params.items[i], 0);
    lanes = min_of(lanes, heads_abreast(spec, params, tile.rows));
  }
  return lanes;
}

}  // namespace

void attention_cpu_worker(const AttentionCpuUnit& unit, const AttentionSpec& spec,
                          const AttentionParams& params, std::atomic<int>& ticket, int threads,
                          void* scratch) {
  const int lanes = spec.schedule.head_lanes, workers = spec.schedule.num_workers();
  unit.begin(spec, scratch);
  int w = ticket.load(std::memory_order_relaxed);
  while (w < workers) {
    const int group = w / lanes;
    const int at_once = lanes_at_once(spec, params, group, workers - w, threads);
    const LaneRange range{w % lanes, min_of(lanes - w % lanes, at_once)};
    if (!ticket.compare_exchange_weak(w, w + range.count, std::memory_order_relaxed)) continue;
    const int32_t begin = params.work_indptr[group];
    unit.run_items(spec, params, params.items + begin, params.work_indptr[group + 1] - begin, range,
                   scratch);
    w = ticket.load(std::memory_order_relaxed);
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
      attention_cpu_worker(unit_, plan.spec, params, ticket, threads, scratch);
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
