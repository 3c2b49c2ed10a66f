// SPDX-License-Identifier: Apache-2.0
// activation kernels of typical configs, as selected. Nothing in them is Hopper's own, so they are
// compiled for every architecture, which is not to say tested there.
#include "src/ops/activation/kernel.h"
#include "src/ops/activation/rooms.h"
#include "tests/compile/gate.h"

namespace weft::test {

std::vector<GateRow> activation_rows() {
  struct Row {
    const char* name;
    ActivationConfig config;
    bool everywhere;
  };
  const Row configs[] = {
      {"activation_silu", {.hidden = 14336}, true},
      {"activation_gelu", {.kind = ActivationKind::gelu, .hidden = 8192}, false},
      {"activation_gelu_tanh_e4m3",
       {.dtype_out = DType::e4m3, .kind = ActivationKind::gelu_tanh, .hidden = 8192},
       true},
      {"activation_f32", {.dtype = DType::f32, .hidden = 4096}, false},
  };
  std::vector<GateRow> rows;
  for (const Row& row : configs) {
    ActivationWarpSpec spec = select_activation_warp(checked_config(row.config));
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
