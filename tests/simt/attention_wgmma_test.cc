// SPDX-License-Identifier: Apache-2.0
// The wgmma attention kernel on the host, thread by thread, over the case tables: its roles, rings,
// masks, softmax, pieces and merges, right on a machine without a GPU. A few specs are
// instantiated; every case they fit and that is small runs, in turn on one group (whole tiles) and
// on four (cut ones). tests/gpu/prefill_test.cc runs all of them on both.
#include "tests/simt/simt.h"
// Kernels know no include of their own for what their compiler has built in.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>

#include "kernels/attention/wgmma.cuh"
#include "src/ops/attention/plan.h"
#include "src/ops/attention/select.h"
#include "src/ops/attention/wgmma.h"
#include "tests/cases/run_case.h"

namespace weft::test {
namespace {

using cases::AttentionCase;

constexpr AttentionWgmmaSpec spec_of(int head_dim, MaskMode mask, int num_consumers, int stages,
                                     bool banded = false) {
  AttentionWgmmaSpec s;
  s.head_dim_qk = s.head_dim_vo = head_dim;
  s.mask = mask;
  s.num_consumers = num_consumers;
  s.num_stages = stages;
  s.num_q_stages = num_consumers == 2 ? 2 : 1;
  s.banded = banded;
  return s;
}

constexpr AttentionWgmmaSpec gathered(AttentionWgmmaSpec s) {
  s.gather = true;
  if (s.num_consumers == 2) s.num_producers = 2;
  return s;
}

// As cases::rope_cases() and checked_config have them.
constexpr AttentionWgmmaSpec turned(AttentionWgmmaSpec s, RopeMode mode, int dim) {
  s.rope.mode = mode;
  s.rope.dim = dim;
  s.num_producers = s.num_consumers == 2 && !s.gather ? 2 : 1;
  if (s.num_consumers == 3) s.kv_tile = 96;
  return s;
}

constexpr AttentionWgmmaSpec llama31(AttentionWgmmaSpec s) {
  s = turned(s, RopeMode::neox, 64);
  s.rope.theta = 5e5f;
  s.rope.scale = 8;
  s.rope.llama31 = true;
  return s;
}

template <AttentionWgmmaSpec spec>
bool run_if(const AttentionWgmmaSpec& wanted, const AttentionWgmmaParams& p, int num_ctas) {
  if (!(wanted == spec)) return false;
  for (int cta = 0; cta < num_ctas; ++cta) {
    simt::run_cta(cta, num_ctas, spec.num_threads(), AttentionWgmmaSmem::of(spec).bytes,
                  [&] { attention_wgmma<spec>(p); });
  }
  return true;
}

template <AttentionWgmmaSpec... specs>
struct Specs {
  static bool has(const AttentionWgmmaSpec& wanted) { return ((wanted == specs) || ...); }
  static bool run(const AttentionWgmmaSpec& wanted, const AttentionWgmmaParams& p, int num_ctas) {
    return (run_if<specs>(wanted, p, num_ctas) || ...);
  }
};

using Instantiated =
    Specs<spec_of(64, MaskMode::causal, 3, 3), spec_of(64, MaskMode::none, 3, 3),
          spec_of(64, MaskMode::custom, 3, 3), spec_of(64, MaskMode::tree, 3, 3),
          spec_of(128, MaskMode::causal, 2, 2), spec_of(96, MaskMode::causal, 2, 2),
          spec_of(64, MaskMode::causal, 3, 3, true), spec_of(64, MaskMode::none, 3, 3, true),
          spec_of(64, MaskMode::custom, 3, 3, true), spec_of(64, MaskMode::tree, 3, 3, true),
          spec_of(128, MaskMode::causal, 2, 2, true), gathered(spec_of(64, MaskMode::causal, 3, 3)),
          gathered(spec_of(128, MaskMode::causal, 2, 2)),
          turned(spec_of(64, MaskMode::causal, 3, 3, true), RopeMode::neox, 64),
          turned(spec_of(64, MaskMode::causal, 3, 3, true), RopeMode::interleaved, 64),
          turned(spec_of(64, MaskMode::causal, 3, 3, true), RopeMode::neox, 32),
          turned(spec_of(64, MaskMode::causal, 3, 3, true), RopeMode::interleaved, 32),
          turned(spec_of(64, MaskMode::causal, 3, 3, true), RopeMode::neox, 20),
          turned(spec_of(64, MaskMode::causal, 3, 3, true), RopeMode::interleaved, 2),
          turned(spec_of(64, MaskMode::none, 3, 3, true), RopeMode::neox, 64),
          turned(spec_of(64, MaskMode::causal, 3, 3), RopeMode::neox, 64),
          turned(spec_of(80, MaskMode::causal, 2, 2), RopeMode::neox, 80),
          turned(spec_of(128, MaskMode::causal, 2, 2, true), RopeMode::neox, 128),
          turned(spec_of(128, MaskMode::causal, 2, 2, true), RopeMode::interleaved, 128),
          turned(gathered(spec_of(128, MaskMode::causal, 2, 2)), RopeMode::neox, 128),
          turned(gathered(spec_of(64, MaskMode::causal, 3, 3)), RopeMode::interleaved, 64),
          llama31(spec_of(64, MaskMode::causal, 3, 3, true))>;

std::vector<AttentionCase> all_cases() {
  std::vector<AttentionCase> all;
  for (const auto& table : {cases::page_cases(), cases::length_cases(), cases::head_cases(),
                            cases::mask_cases(), cases::value_cases(), cases::dtype_cases(),
                            cases::ragged_cases(), cases::schedule_cases(), cases::rope_cases()}) {
    all.insert(all.end(), table.begin(), table.end());
  }
  return all;
}

int64_t blocks_of(const AttentionCase& c, const AttentionWgmmaSpec& spec) {
  int64_t blocks = 0;
  const int group = c.qo_heads / c.kv_heads;
  for (const cases::Lengths& r : c.requests) {
    blocks += int64_t{ceil_div(r.qo * group, wgmma_qo_tile(spec, group))} * c.kv_heads *
              ceil_div(r.kv, spec.kv_tile);
  }
  return blocks;
}

TensorMap map_of(const TensorMapShape& shape) {
  TensorMap map{};
  map.words[0] = reinterpret_cast<uint64_t>(&shape);
  return map;
}

/// Empty when right.
std::string run(cases::AttentionData& data, const AttentionWgmmaSpec& kernel, int num_groups) {
  const AttentionConfig& config = data.config;
  AttentionSpec spec;
  spec.dtype_q = spec.dtype_kv = config.dtype_q;
  spec.dtype_o = config.dtype_o;
  spec.head_dim_qk = config.head_dim_qk;
  spec.head_dim_vo = config.head_dim_vo;
  spec.kv_layout = config.kv_layout;
  spec.mask = config.mask;
  spec.rope = config.rope;
  spec.schedule = wgmma_schedule(config, kernel, num_groups);
  spec.schedule.min_blocks = 1;
  Arena arena;
  detail::AttentionImpl impl{config, Target::h200(), spec, attention_layout(config, spec, arena),
                             nullptr};
  cases::Buffer workspace(arena.bytes());
  detail::AttentionPlanImpl plan(impl);
  plan.base = workspace.data();
  schedule_attention(check_attention_batch(config, data.batch), plan);
  WgmmaBinding binding =
      bind_wgmma(config, kernel, spec.schedule, data.args, bind_attention(plan, data.args));
  binding.params.q_map = map_of(binding.q);
  binding.params.k_map = map_of(binding.k);
  binding.params.v_map = map_of(binding.v);
  data.poison_outputs();
  Instantiated::run(kernel, binding.params, spec.schedule.num_workers());
  if (!workspace.fences_intact()) return "written beside the workspace";
  for (int i = 0; i < plan.summary.num_merges; ++i) {
    if (binding.params.args.merge_arrivals[i] != 0) return "an arrival counter is left";
  }
  const std::string stray = cases::find_stray_write(data.o, data.args.o, cases::kPoisonByte);
  if (!stray.empty()) return stray;
  return cases::compare_rows(data, cases::expect_rows(data, 1, 2e6)).failure;
}

TEST(AttentionWgmmaOnHost, MatchesTheOracle) {
  int num_run = 0;
  for (const AttentionCase& c : all_cases()) {
    const AttentionConfig config = checked_config(cases::config_of(c));
    const AttentionWgmmaSpec spec = wgmma_spec(config);
    if (spec.num_consumers == 0 || !Instantiated::has(spec) || blocks_of(c, spec) > 16) continue;
    cases::AttentionData data = cases::make_attention_data(c, 1);
    data.config = config;
    if (!wgmma_can_read(data.args)) continue;
    ++num_run;
    const int num_groups = num_run % 2 == 0 ? 1 : 4;
    EXPECT_EQ(run(data, spec, num_groups), "") << c.name << ", " << num_groups << " groups";
  }
  std::printf("%d cases\n", num_run);
  EXPECT_GT(num_run, 55);
}

}  // namespace
}  // namespace weft::test
