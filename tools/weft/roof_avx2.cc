// SPDX-License-Identifier: Apache-2.0
// Roofs of AVX2: f32 FMA in registers, and 32-byte loads. Entered only where cpuid allows it.
#include <immintrin.h>

#include "tools/weft/roof_unit.h"

namespace weft::cli {
namespace {

// 12 accumulators cover two ports of latency 5, and leave registers for the operands.
constexpr int kAccumulators = 12;

void burst(int64_t iterations) {
  __m256 a[kAccumulators];
  for (__m256& accumulator : a) accumulator = _mm256_setzero_ps();
  const __m256 x = _mm256_set1_ps(1.0000001f), y = _mm256_set1_ps(1e-9f);
  for (int64_t k = 0; k < iterations; ++k) {
#pragma GCC unroll 12
    for (__m256& accumulator : a) {
      accumulator = _mm256_fmadd_ps(accumulator, x, y);
      asm volatile("" : "+x"(accumulator));
    }
  }
}

}  // namespace

const RoofUnit& roof_avx2() {
  static constexpr RoofUnit unit{"avx2", 2.0 * 8 * kAccumulators, burst};
  return unit;
}

void roof_read_avx2(const char* data, int64_t bytes) {
  __m256i sums[8];
  for (__m256i& sum : sums) sum = _mm256_setzero_si256();
  for (int64_t i = 0; i < bytes; i += 256) {
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      const auto* at = reinterpret_cast<const __m256i*>(data + i + 32 * j);
      sums[j] = _mm256_xor_si256(sums[j], _mm256_load_si256(at));
    }
  }
  for (__m256i& sum : sums) asm volatile("" : "+x"(sum));
}

}  // namespace weft::cli
