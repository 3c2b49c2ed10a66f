// SPDX-License-Identifier: Apache-2.0
// kernels/ptx/ldmatrix.cuh on the host.
#pragma once

#include "tests/simt/simt.h"

namespace weft {

template <bool kTransposed>
void load_matrices(uint32_t (&r)[4], uint32_t at) {
  const char* rows = simt::exchange(&at, 4);
  const int lane = static_cast<int>(threadIdx.x % 32);
  for (int i = 0; i < 4; ++i) {
    uint16_t pair[2];
    for (int e = 0; e < 2; ++e) {
      const int row = kTransposed ? lane % 4 * 2 + e : lane / 4;
      const int column = kTransposed ? lane / 4 : lane % 4 * 2 + e;
      uint32_t from;
      std::memcpy(&from, rows + 32 * (8 * i + row), 4);
      std::memcpy(&pair[e], simt::shared(from, 16) + 2 * column, 2);
    }
    r[i] = pair[0] | uint32_t{pair[1]} << 16;
  }
}
inline void ldmatrix4(uint32_t (&r)[4], uint32_t at) { load_matrices<false>(r, at); }
inline void ldmatrix4_trans(uint32_t (&r)[4], uint32_t at) { load_matrices<true>(r, at); }

}  // namespace weft
