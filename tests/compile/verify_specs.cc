// SPDX-License-Identifier: Apache-2.0
// verify kernels, as selected.
#include "src/ops/verify/kernel.h"
#include "tests/compile/gate.h"

namespace weft::test {

std::vector<GateRow> verify_rows() {
  std::vector<GateRow> rows;
  for (const bool tree : {false, true}) {
    const std::string name = tree ? "verify_draft_tree" : "verify_draft_chain";
    for (const int arch : {80, 90, 100}) {
      if (tree && arch != 90) continue;
      Target target = Target::h200();
      target.arch = arch;
      const VerifyConfig config{.dtype = arch == 80 ? DType::bf16 : DType::f32,
                                .vocab_size = 128256,
                                .num_draft = 4,
                                .tree = tree};
      VerifyRowSpec spec = select_verify_row(config, target);
      rows.push_back(gate_row(name, spec, arch, registers(spec.slices)));
      if (arch != 90) continue;
      spec.vec = 1;
      rows.push_back(gate_row(name + "_narrow", spec, arch, registers(spec.slices)));
    }
  }
  return rows;
}

}  // namespace weft::test
