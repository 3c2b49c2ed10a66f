// SPDX-License-Identifier: Apache-2.0
// The kernel of checked mode: nothing in it is Hopper's own.
#include "src/ops/attention/kernels.h"
#include "tests/compile/gate.h"

namespace weft::test {

std::vector<GateRow> attention_check_rows() {
  std::vector<GateRow> rows;
  for (int arch : {80, 89, 90, 100, 120}) {
    rows.push_back(gate_row("attention_check", AttentionCheckSpec{}, arch, 64));
  }
  return rows;
}

}  // namespace weft::test
