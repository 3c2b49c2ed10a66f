// SPDX-License-Identifier: Apache-2.0
// logprobs kernels, as selected.
#include "src/ops/logprobs/kernel.h"
#include "tests/compile/gate.h"

namespace weft::test {

std::vector<GateRow> logprobs_rows() {
  std::vector<GateRow> rows;
  for (const int arch : {80, 90, 100}) {
    Target target = Target::h200();
    target.arch = arch;
    const LogprobsConfig config{
        .dtype = arch == 80 ? DType::bf16 : DType::f32, .vocab_size = 128256, .num = 20};
    LogprobsRowSpec spec = select_logprobs_row(config, target);
    rows.push_back(gate_row("logprobs", spec, arch, registers(spec.slices)));
    if (arch != 90) continue;
    spec.vec = 1;
    rows.push_back(gate_row("logprobs_narrow", spec, arch, registers(spec.slices)));
  }
  return rows;
}

}  // namespace weft::test
