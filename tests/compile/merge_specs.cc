// SPDX-License-Identifier: Apache-2.0
// merge kernels of typical configs, as selected. Nothing in them is Hopper's own, so they are
// compiled for every architecture, which is not to say tested there.
#include "src/ops/merge/kernel.h"
#include "src/ops/merge/rooms.h"
#include "tests/compile/gate.h"

namespace weft::test {

std::vector<GateRow> merge_rows() {
  struct Row {
    const char* name;
    DType dtype, dtype_o;
    int head_dim;
    bool everywhere;
  };
  const Row configs[] = {{"merge_bf16", DType::bf16, DType::bf16, 128, true},
                         {"merge_f32_to_bf16", DType::f32, DType::bf16, 128, true},
                         {"merge_mla", DType::f32, DType::f16, 512, false},
                         {"merge_long_head", DType::f32, DType::f32, 1024, false}};
  std::vector<GateRow> rows;
  for (const Row& row : configs) {
    MergeWarpSpec spec = select_merge_warp(checked_config(MergeConfig{
        .dtype = row.dtype, .dtype_o = row.dtype_o, .num_heads = 32, .head_dim = row.head_dim}));
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
