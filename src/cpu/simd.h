// SPDX-License-Identifier: Apache-2.0
// Vec, a register of kWidth f32 lanes, for whatever instruction set the including file is compiled
// for, and Words and Ints, the same bits as integers. Included by per-ISA units only. Everything
// behind it lives in anonymous namespaces and uses no inline function of the standard library: two
// units must never share a copy of a function.
#pragma once

#include <cstdint>
#include <cstring>

namespace weft {
namespace {

template <class To, class From>
inline To bits_as(const From& from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof(to));
  return to;
}

}  // namespace
}  // namespace weft

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#include "src/cpu/simd_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include "src/cpu/simd_avx2.h"
#else
#include "src/cpu/simd_portable.h"
#endif

namespace weft {
namespace {

using Words [[gnu::vector_size(4 * kWidth)]] = uint32_t;
using Ints [[gnu::vector_size(4 * kWidth)]] = int32_t;

/// a * b, rounded: the compiler may not fuse it into a sum that follows.
inline Vec product(Vec a, Vec b) {
  Vec p = a * b;
#if defined(__AVX512F__)
  asm("" : "+v"(p));
#elif defined(__x86_64__)
  asm("" : "+x"(p));
#elif defined(__aarch64__)
  asm("" : "+w"(p));
#endif
  return p;
}

}  // namespace
}  // namespace weft
