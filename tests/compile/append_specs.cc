// SPDX-License-Identifier: Apache-2.0
// append kernels of typical configs, as selected. Nothing in them is Hopper's own, so they are
// compiled for every architecture, which is not to say tested there.
#include "src/ops/append/kernel.h"
#include "src/ops/append/rooms.h"
#include "tests/compile/gate.h"

namespace weft::test {

std::vector<GateRow> append_rows() {
  struct Row {
    const char* name;
    AppendConfig config;
    bool everywhere;
  };
  const AppendConfig plain{.num_kv_heads = 8, .head_dim_qk = 128, .page_size = 16};
  AppendConfig rope = plain, fp8 = plain, fp8_plain = plain, mla = plain, step = plain;
  fp8_plain.dtype_kv = DType::e4m3;
  rope.rope = {.mode = RopeMode::neox}, rope.num_qo_heads = 32;
  fp8.dtype_kv = DType::e4m3, fp8.rope = {.mode = RopeMode::interleaved, .dim = 64};
  mla.num_kv_heads = 1, mla.head_dim_qk = 64, mla.head_dim_vo = 512;
  mla.rope = {.mode = RopeMode::interleaved};
  step.rope = {.mode = RopeMode::neox}, step.num_qo_heads = 32, step.qk_norm = true;
  step.dtype_kv = step.dtype_q_out = DType::e4m3;
  AppendConfig step_16 = step;
  step_16.dtype_kv = step_16.dtype_q_out = DType::bf16;
  const Row configs[] = {{"append_bf16", plain, true},    {"append_rope_q", rope, true},
                         {"append_fp8", fp8_plain, true}, {"append_fp8_rope", fp8, true},
                         {"append_mla", mla, false},      {"append_step_fp8", step, true},
                         {"append_step", step_16, false}};
  std::vector<GateRow> rows;
  for (const Row& row : configs) {
    AppendWarpSpec spec = select_append_warp(checked_config(row.config));
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
