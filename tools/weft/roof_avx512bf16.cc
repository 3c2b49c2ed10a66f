// SPDX-License-Identifier: Apache-2.0
// Roof of vdpbf16ps in registers. Entered only where cpuid allows it.
#include <immintrin.h>

#include "tools/weft/roof_unit.h"

namespace weft::cli {
namespace {

constexpr int kAccumulators = 24;

void burst(int64_t iterations) {
  __m512 a[kAccumulators];
  for (__m512& accumulator : a) accumulator = _mm512_setzero_ps();
  const auto x = reinterpret_cast<__m512bh>(_mm512_set1_epi16(0x3f80));
  const auto y = reinterpret_cast<__m512bh>(_mm512_set1_epi16(0x3000));
  for (int64_t k = 0; k < iterations; ++k) {
#pragma GCC unroll 24
    for (__m512& accumulator : a) {
      accumulator = _mm512_dpbf16_ps(accumulator, x, y);
      asm volatile("" : "+v"(accumulator));
    }
  }
}

}  // namespace

const RoofUnit& roof_avx512_bf16() {
  static constexpr RoofUnit unit{"avx512_bf16", 2.0 * 32 * kAccumulators, burst};
  return unit;
}

}  // namespace weft::cli
