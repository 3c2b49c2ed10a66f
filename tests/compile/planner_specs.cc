// SPDX-License-Identifier: Apache-2.0
// Planner kernels of typical configs. Nothing in them is Hopper's own, so they are compiled for
// every architecture, which is not to say tested there.
#include "src/cuda/planner.h"
#include "src/ops/attention/select.h"
#include "src/ops/attention/select_cuda.h"
#include "tests/compile/gate.h"

namespace weft::test {
namespace {

struct Config {
  const char* name;
  int num_groups;
  int heads_per_lane;
  int max_batch_size;
  int max_nnz_qo;
  int window_left;
  int split_blocks;
};

PlanSpec spec_of(const Config& config) {
  ScheduleSpec s;
  s.group_size = 4;
  s.qo_tile = 16;
  s.kv_tile = 64;
  s.num_groups = config.num_groups;
  s.heads_per_lane = config.heads_per_lane;
  s.causal = true;
  s.window_left = config.window_left;
  s.split_blocks = config.split_blocks;
  s.min_blocks = 4;
  s.max_tile_partial_rows = config.split_blocks > 0 ? 8 * s.qo_tile : 0;
  s.cost = {400, 900, 20};
  return select_planner(s, config.max_batch_size, config.max_nnz_qo, Target::h200());
}

// The two planners of a mixed batch, each of which counts what the other's list costs.
void add_mixed(std::vector<GateRow>& rows) {
  AttentionConfig c;
  c.num_qo_heads = 32;
  c.num_kv_heads = 8;
  c.head_dim_qk = 128;
  c.page_size = 16;
  c.max_batch_size = 1024;
  c.max_nnz_qo = 16384;
  const Target target = Target::h200();
  const AttentionSpec spec = select_attention_cuda(checked_config(c), target);
  const auto planner = [&](const ScheduleSpec& schedule, const ScheduleSpec& beside) {
    return select_planner(schedule, c.max_batch_size, c.max_nnz_qo, target, beside);
  };
  rows.push_back(gate_row("plan_prompts", planner(spec.schedule, spec.short_schedule), 90, 64));
  rows.push_back(
      gate_row("plan_decodes_beside", planner(spec.short_schedule, spec.schedule), 90, 64));
}

}  // namespace

std::vector<GateRow> planner_rows() {
  const Config configs[] = {
      {"plan_decode", 132, 8, 1024, 1024, -1, 0},
      {"plan_mixed", 132, 8, 256, 8192, -1, 0},
      {"plan_window", 132, 8, 256, 8192, 4096, 0},
      {"plan_batch_invariant", 132, 8, 256, 8192, -1, 16},
      {"plan_large_batch", 264, 1, 8192, 16384, -1, 0},
  };
  std::vector<GateRow> rows;
  for (const Config& config : configs) {
    const PlanSpec spec = spec_of(config);
    // 1024 threads leave 64 registers each.
    rows.push_back(gate_row(config.name, spec, 90, 64));
    if (config.num_groups != 132 || config.split_blocks > 0) continue;
    for (int arch : {80, 89, 100, 120}) rows.push_back(gate_row(config.name, spec, arch, 64));
  }
  add_mixed(rows);
  return rows;
}

}  // namespace weft::test
