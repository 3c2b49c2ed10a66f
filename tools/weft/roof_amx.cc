// SPDX-License-Identifier: Apache-2.0
// Roof of AMX bf16 tiles that stay in their registers: 2 x 2 accumulators. Entered only where cpuid
// allows it and the kernel has granted tile state.
#include <immintrin.h>

#include "tools/weft/roof_unit.h"

namespace weft::cli {
namespace {

struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t bytes_a_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

void burst(int64_t iterations) {
  const TileConfig config;
  // GCC 12 says that the instruction reads 8 bytes, and would drop the stores to the other 56.
  __asm__ volatile("" : : "r"(&config) : "memory");
  _tile_loadconfig(&config);
  alignas(64) const uint16_t zeros[512] = {};
  _tile_loadd(4, zeros, 64);
  _tile_loadd(5, zeros, 64);
  _tile_loadd(6, zeros, 64);
  _tile_loadd(7, zeros, 64);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t k = 0; k < iterations; ++k) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
}

}  // namespace

const RoofUnit& roof_amx_bf16() {
  static constexpr RoofUnit unit{"amx_bf16", 4.0 * 16 * 16 * 32 * 2, burst};
  return unit;
}

}  // namespace weft::cli
