// SPDX-License-Identifier: Apache-2.0
// kernels/ptx/mma.cuh on the host.
#pragma once

#include "kernels/ptx/convert.cuh"
#include "tests/simt/simt.h"

namespace weft {

template <DType dtype>
void mma16816(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  const uint32_t mine[6] = {a[0], a[1], a[2], a[3], b0, b1};
  const char* all = simt::exchange(mine, sizeof(mine));
  const auto element = [&](int lane, int word, int half) {
    uint16_t bits;
    std::memcpy(&bits, all + 32 * lane + 4 * word + 2 * half, 2);
    return widen<dtype>(bits);
  };
  const int g = static_cast<int>(threadIdx.x % 32) / 4, t = static_cast<int>(threadIdx.x % 4);
  for (int i = 0; i < 4; ++i) {
    const int column = 2 * t + i % 2;
    float sum = 0.0f;
    for (int k = 0; k < 16; ++k) {
      const int lane = k % 8 / 2;
      sum += element(g * 4 + lane, k / 8 * 2 + i / 2, k % 2) *
             element(column * 4 + lane, 4 + k / 8, k % 2);
    }
    c[i] += sum;
  }
}

}  // namespace weft
