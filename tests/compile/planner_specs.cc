// SPDX-License-Identifier: Apache-2.0
// Planner kernels of typical configs. Nothing in them is Hopper's own, so they are compiled for
// every architecture, which is not to say tested there.
#include "src/cuda/planner.h"
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
  return rows;
}

}  // namespace weft::test
