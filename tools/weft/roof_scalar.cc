// SPDX-License-Identifier: Apache-2.0
// Roofs of the baseline instruction set: what the compiler makes of plain loops.
#include "tools/weft/roof_unit.h"

namespace weft::cli {
namespace {

constexpr int kLanes = 32;  // 8 registers of 4: enough to hide an add's latency of 4

void burst(int64_t iterations) {
  float a[kLanes] = {};
  float x = 1.0000001f, y = 1e-9f;
  asm volatile("" : "+m"(x), "+m"(y));
  const float multiplier = x, addend = y;
  for (int64_t k = 0; k < iterations; ++k) {
    for (float& lane : a) lane = lane * multiplier + addend;
  }
  asm volatile("" : : "m"(a));
}

}  // namespace

const RoofUnit& roof_scalar() {
  static constexpr RoofUnit unit{"scalar", 2.0 * kLanes, burst};
  return unit;
}

void roof_read_scalar(const char* data, int64_t bytes) {
  const auto* words = reinterpret_cast<const uint64_t*>(data);
  uint64_t sums[8] = {};
  for (int64_t i = 0; i < bytes / 8; i += 8) {
    for (int j = 0; j < 8; ++j) sums[j] ^= words[i + j];
  }
  asm volatile("" : : "m"(sums));
}

}  // namespace weft::cli
