// SPDX-License-Identifier: Apache-2.0
// A plan's two lists on the host, thread by thread: the wgmma kernel on requests of many rows, the
// general one on those of few, over one workspace as src/ops/attention/cuda.cc lays it out. Between
// them they write every row once.
#include "tests/simt/simt.h"
// Kernels know no include of their own for what their compiler has built in.
#include <gtest/gtest.h>

#include <cstdio>

#include "kernels/attention/mma.cuh"
#include "kernels/attention/wgmma.cuh"
#include "src/ops/attention/plan.h"
#include "src/ops/attention/select.h"
#include "src/ops/attention/select_cuda.h"
#include "src/ops/attention/wgmma.h"
#include "tests/cases/run_case.h"

namespace weft::test {
namespace {

using cases::AttentionCase;

constexpr AttentionWgmmaSpec wgmma_kernel() {
  AttentionWgmmaSpec s;
  s.head_dim_qk = s.head_dim_vo = 64;
  s.mask = MaskMode::causal;
  s.num_consumers = s.num_stages = 3;
  return s;
}

constexpr AttentionMmaSpec mma_kernel() {
  AttentionMmaSpec s;
  s.head_dim_qk = s.head_dim_vo = 64;
  s.mask = MaskMode::causal;
  s.qo_tile = 16;
  s.num_stages = 4;
  s.ctas_per_sm = 3;
  return s;
}

Target small_gpu() {
  Target target = Target::h200();
  target.num_sms = 5;
  return target;
}

/// Prompts and decodes in every order; little work of either kind, and much.
std::vector<AttentionCase> mixed_cases() {
  const std::vector<std::vector<cases::Lengths>> batches = {
      {{40, 200}, {1, 300}, {2, 64}, {1, 500}, {70, 70}, {1, 1}},
      {{1, 900}, {1, 700}, {1, 800}, {20, 128}},
      {{150, 400}, {1, 17}},
      {{1, 100}, {0, 50}, {3, 300}, {1, 0}},
      {{100, 260}, {30, 30}},
      {{5, 5}, {4, 4}, {4, 200}, {5, 300}, {0, 0}},
  };
  std::vector<AttentionCase> all;
  for (size_t i = 0; i < batches.size(); ++i) {
    for (const int page_size : {0, 16, 48}) {
      AttentionCase c;
      c.name = "mixed" + std::to_string(i) + "_page" + std::to_string(page_size);
      c.page_size = page_size;
      c.qo_heads = 8;
      c.kv_heads = 2;
      c.head_dim = 64;
      c.sink = i % 2 == 0;
      if (i % 3 == 1) c.window = 90;
      c.requests = batches[i];
      all.push_back(c);
    }
  }
  return all;
}

struct List {
  AttentionSpec spec;
  AttentionLayout layout;
  PlanSummary summary;

  List(const AttentionConfig& config, const AttentionSpec& of, Arena& arena)
      : spec(of), layout(attention_layout(config, of, arena)) {}

  void plan(const CheckedBatch& batch, const ScheduleSpec& beside, char* base) {
    summary = partition(spec.schedule, batch.lengths, batch.batch_size, layout.work_indptr.in(base),
                        layout.items.in(base), layout.merges.in(base), beside);
    std::fill_n(layout.merge_arrivals.in(base), layout.merge_arrivals.count, 0);
  }
  bool is_at_rest(const char* base) const {
    const int32_t* arrivals = layout.merge_arrivals.in(const_cast<char*>(base));
    return std::all_of(arrivals, arrivals + summary.num_merges * spec.schedule.head_lanes,
                       [](int32_t n) { return n == 0; });
  }
};

TensorMap map_of(const TensorMapShape& shape) {
  TensorMap map{};
  map.words[0] = reinterpret_cast<uint64_t>(&shape);
  return map;
}

void run_lists(const detail::AttentionPlanImpl& plan, const AttentionArgs& args,
               const List& beside) {
  const ScheduleSpec& schedule = plan.spec.schedule;
  AttentionParams bound = bind_attention(plan, args);
  WgmmaBinding binding = bind_wgmma(plan.config, wgmma_kernel(), schedule, args, bound);
  binding.params.q_map = map_of(binding.q);
  binding.params.k_map = map_of(binding.k);
  binding.params.v_map = map_of(binding.v);
  constexpr AttentionWgmmaSpec kMany = wgmma_kernel();
  for (int cta = 0; cta < schedule.num_workers(); ++cta) {
    simt::run_cta(cta, schedule.num_workers(), kMany.num_threads(),
                  AttentionWgmmaSmem::of(kMany).bytes,
                  [&] { attention_wgmma<kMany>(binding.params); });
  }
  bind_list(beside.layout, plan.base, bound);
  AttentionMmaParams p = mma_params(beside.spec, bound);
  p.beside = 1;
  constexpr AttentionMmaSpec kFew = mma_kernel();
  const int num_ctas = beside.spec.schedule.num_workers();
  for (int cta = 0; cta < num_ctas; ++cta) {
    simt::run_cta(cta, num_ctas, 32 * kFew.num_warps, AttentionMmaSmem::of(kFew).bytes,
                  [&] { attention_mma<kFew>(p); });
  }
}

/// Empty when right, or not for the kernels above.
std::string check(const AttentionCase& c, int& num_both) {
  cases::AttentionData data = cases::make_attention_data(c, 1);
  AttentionConfig& config = data.config;
  config.max_nnz_qo = 32 * config.max_batch_size;
  config = checked_config(config);
  const Target target = small_gpu();
  const AttentionSpec spec = select_attention_cuda(config, target);
  EXPECT_EQ(spec.unit, AttentionUnit::cuda_wgmma);
  if (!(wgmma_spec(config) == wgmma_kernel() && mma_spec(spec, target) == mma_kernel())) return "";
  Arena arena;
  List many(config, spec, arena), few(config, short_spec(spec), arena);
  const detail::AttentionImpl impl{config, target, spec, many.layout, nullptr};
  cases::Buffer workspace(arena.bytes());
  detail::AttentionPlanImpl plan(impl);
  plan.base = workspace.data();
  const CheckedBatch batch = check_attention_batch(config, data.batch);
  hold_batch(batch, plan);
  many.plan(batch, few.spec.schedule, plan.base);
  few.plan(batch, many.spec.schedule, plan.base);
  num_both += many.summary.num_items > 0 && few.summary.num_items > 0;
  data.poison_outputs();
  run_lists(plan, data.args, few);
  if (!workspace.fences_intact()) return "written beside the workspace";
  if (!many.is_at_rest(plan.base) || !few.is_at_rest(plan.base)) return "a counter is left";
  const std::string stray = cases::find_stray_write(data.o, data.args.o, cases::kPoisonByte);
  if (!stray.empty()) return stray;
  return cases::compare_rows(data, cases::expect_rows(data, 1, 2e6)).failure;
}

TEST(AttentionPairOnHost, MatchesTheOracle) {
  int num_both = 0;
  for (const AttentionCase& c : mixed_cases()) EXPECT_EQ(check(c, num_both), "") << c.name;
  std::printf("%d batches with work in both lists\n", num_both);
  EXPECT_GE(num_both, 4);
}

}  // namespace
}  // namespace weft::test
