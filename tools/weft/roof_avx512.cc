// SPDX-License-Identifier: Apache-2.0
// Roofs of AVX-512: f32 FMA in registers, and 64-byte loads. Entered only where cpuid allows it.
#include <immintrin.h>

#include "tools/weft/roof_unit.h"

namespace weft::cli {
namespace {

constexpr int kAccumulators = 24;

void burst(int64_t iterations) {
  __m512 a[kAccumulators];
  for (__m512& accumulator : a) accumulator = _mm512_setzero_ps();
  const __m512 x = _mm512_set1_ps(1.0000001f), y = _mm512_set1_ps(1e-9f);
  for (int64_t k = 0; k < iterations; ++k) {
#pragma GCC unroll 24
    for (__m512& accumulator : a) {
      accumulator = _mm512_fmadd_ps(accumulator, x, y);
      asm volatile("" : "+v"(accumulator));
    }
  }
}

}  // namespace

const RoofUnit& roof_avx512() {
  static constexpr RoofUnit unit{"avx512", 2.0 * 16 * kAccumulators, burst};
  return unit;
}

void roof_read_avx512(const char* data, int64_t bytes) {
  __m512i sums[8];
  for (__m512i& sum : sums) sum = _mm512_setzero_si512();
  for (int64_t i = 0; i < bytes; i += 512) {
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      sums[j] = _mm512_xor_si512(sums[j], _mm512_load_si512(data + i + 64 * j));
    }
  }
  for (__m512i& sum : sums) asm volatile("" : "+v"(sum));
}

}  // namespace weft::cli
