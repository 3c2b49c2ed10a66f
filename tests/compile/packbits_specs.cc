// SPDX-License-Identifier: Apache-2.0
// packbits kernels, as selected.
#include "src/ops/packbits/kernel.h"
#include "src/ops/packbits/rooms.h"
#include "tests/compile/gate.h"

namespace weft::test {

std::vector<GateRow> packbits_rows() {
  std::vector<GateRow> rows;
  PackBitsSpec spec = select_packbits({.order = BitOrder::big});
  for (int arch : {80, 89, 90, 100, 120}) {
    rows.push_back(gate_row("packbits", spec, arch, registers(spec)));
  }
  spec.vec = 1;
  rows.push_back(gate_row("packbits_narrow", spec, 90, registers(spec)));
  return rows;
}

}  // namespace weft::test
