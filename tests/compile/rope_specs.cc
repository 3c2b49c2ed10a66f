// SPDX-License-Identifier: Apache-2.0
// rope kernels of typical configs, as selected. Nothing in them is Hopper's own, so they are
// compiled for every architecture, which is not to say tested there.
#include "src/ops/rope/kernel.h"
#include "src/ops/rope/rooms.h"
#include "tests/compile/gate.h"

namespace weft::test {

std::vector<GateRow> rope_rows() {
  struct Row {
    const char* name;
    DType dtype;
    int head_dim;
    RopeMode mode;
    int rope_dim;
    bool everywhere;
  };
  const Row configs[] = {
      {"rope_bf16", DType::bf16, 128, RopeMode::neox, 0, true},
      {"rope_f16_interleaved", DType::f16, 128, RopeMode::interleaved, 0, true},
      {"rope_f32", DType::f32, 64, RopeMode::neox, 0, false},
      {"rope_partial", DType::bf16, 80, RopeMode::neox, 32, false},
      {"rope_long_head", DType::bf16, 1024, RopeMode::neox, 0, false},
  };
  std::vector<GateRow> rows;
  for (const Row& row : configs) {
    RopeConfig config{.dtype = row.dtype, .num_qo_heads = 32, .head_dim = row.head_dim};
    config.rope = {.mode = row.mode, .dim = row.rope_dim};
    RopeWarpSpec spec = select_rope_warp(checked_config(config));
    const std::string name = row.name;
    rows.push_back(gate_row(name, spec, 90, registers(spec)));
    for (int arch : {80, 89, 100, 120}) {
      if (row.everywhere) rows.push_back(gate_row(name, spec, arch, registers(spec)));
    }
    spec.vec = 1;
    rows.push_back(gate_row(name + "_narrow", spec, 90, registers(spec)));
  }
  return rows;
}

}  // namespace weft::test
