// SPDX-License-Identifier: Apache-2.0
// norm kernels of typical configs, as selected. Nothing in them is Hopper's own, so they are
// compiled for every architecture, which is not to say tested there.
#include "src/cuda/rows.h"
#include "src/ops/norm/kernel.h"
#include "src/ops/norm/rooms.h"
#include "tests/compile/gate.h"

namespace weft::test {

std::vector<GateRow> norm_rows() {
  struct Row {
    const char* name;
    NormConfig config;
    bool everywhere;
  };
  const Row configs[] = {
      {"norm_4096", {.hidden = 4096}, true},
      {"norm_8192_add", {.hidden = 8192, .residual = true}, false},
      {"norm_add_e4m3", {.dtype_out = DType::e4m3, .hidden = 4096, .residual = true}, true},
      {"norm_layer", {.dtype_weight = DType::f32, .hidden = 768, .kind = NormKind::layer}, false},
      {"norm_f32", {.dtype = DType::f32, .hidden = 5120}, false},
      {"norm_heads", {.hidden = 128, .num_heads = 32}, false},
      {"norm_long", {.hidden = 65536, .kind = NormKind::layer, .residual = true}, false},
  };
  std::vector<GateRow> rows;
  for (const Row& row : configs) {
    const NormWarpSpec spec = select_norm_warp(checked_config(row.config));
    const std::string name = row.name;
    rows.push_back(gate_row(name, spec, 90, registers(spec)));
    for (int arch : {80, 89, 100, 120}) {
      if (row.everywhere) rows.push_back(gate_row(name, spec, arch, registers(spec)));
    }
    rows.push_back(gate_row(name + "_narrow", narrowed(spec), 90, registers(narrowed(spec))));
  }
  return rows;
}

}  // namespace weft::test
