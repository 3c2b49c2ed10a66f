// SPDX-License-Identifier: Apache-2.0
// Lowers Target::host() one instruction set at a time.
#include "tests/cases/targets.h"

namespace weft::cases {

std::vector<Target> host_targets() {
  const Target host = Target::host();
  std::vector<Target> out;
  for (int isa = 0; isa <= static_cast<int>(host.isa); ++isa) {
    Target t = host;
    t.isa = static_cast<Isa>(isa);
    t.fast_bf16 = false;
    t.num_threads = 7;
    out.push_back(t);
    if (t.isa < Isa::avx512_bf16) continue;
    t.fast_bf16 = true;
    out.push_back(t);
  }
  return out;
}

}  // namespace weft::cases
