// SPDX-License-Identifier: Apache-2.0
// Rows of elements to and from f32. Row lengths are multiples of 8. Per-ISA units only.
#pragma once

#include "kernels/core/dtype.h"
#include "src/cpu/simd.h"

namespace weft {
namespace {

// Calls f(i, lanes) for every register of n elements; the last may be half full.
template <class F>
[[gnu::always_inline]] inline void for_each_vec(int n, F f) {
  int i = 0;
  for (; i + kWidth <= n; i += kWidth) f(i, kWidth);
  if (i < n) f(i, n - i);
}

/// to[0, n) = the n elements of `dtype` at `from`, as f32.
inline void widen_row(float* to, const void* from, DType dtype, int n) {
  const char* p = static_cast<const char*>(from);
  switch (dtype) {
    case DType::f16:
      for_each_vec(n, [=](int i, int m) { store_first(to + i, widen_f16(p + 2 * i, m), m); });
      return;
    case DType::bf16:
      for_each_vec(n, [=](int i, int m) { store_first(to + i, widen_bf16(p + 2 * i, m), m); });
      return;
    case DType::e4m3:
      for_each_vec(n, [=](int i, int m) { store_first(to + i, widen_e4m3(p + i, m), m); });
      return;
    case DType::e5m2:
      for_each_vec(n, [=](int i, int m) { store_first(to + i, widen_e5m2(p + i, m), m); });
      return;
    default:
      memcpy(to, p, static_cast<size_t>(n) * sizeof(float));
  }
}

/// The n elements of `dtype` at `to` = from[0, n) * scale, rounded to nearest even.
inline void narrow_row(void* to, const float* from, float scale, DType dtype, int n) {
  char* p = static_cast<char*>(to);
  const Vec s = splat(scale);
  const auto at = [=](int i, int m) { return load_first(from + i, m) * s; };
  switch (dtype) {
    case DType::f16:
      for_each_vec(n, [=](int i, int m) { narrow_f16(p + 2 * i, at(i, m), m); });
      return;
    case DType::bf16:
      for_each_vec(n, [=](int i, int m) { narrow_bf16(p + 2 * i, at(i, m), m); });
      return;
    default:
      for_each_vec(n, [=](int i, int m) { store_first(static_cast<float*>(to) + i, at(i, m), m); });
  }
}

}  // namespace
}  // namespace weft
