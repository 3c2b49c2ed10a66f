// SPDX-License-Identifier: Apache-2.0
// Neighbouring elements of a row to f32 and back, their type known at run time. Per-ISA units only,
// like simd.h; used where a row is looked at block by block (sampling, topk).
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/sampling/mass.h"
#include "src/cpu/elements.h"

namespace weft {
namespace {

template <class T>
inline void load_values_of(const void* data, int64_t at, int n, float* z) {
  const T* p = static_cast<const T*>(data) + at;
  int i = 0;
  for (; i + kWidth <= n; i += kWidth) store(z + i, load(p + i));
  if (i < n) store_n(z + i, load_n(p + i, n - i), n - i);
}

template <class T>
inline void store_values_of(void* data, int64_t at, int n, const float* z) {
  T* p = static_cast<T*>(data) + at;
  int i = 0;
  for (; i + kWidth <= n; i += kWidth) store(p + i, load(z + i));
  if (i < n) store_n(p + i, load_n(z + i, n - i), n - i);
}

inline void load_values(const void* data, DType dtype, int64_t at, int n, float* z) {
  if (dtype == DType::f32) return load_values_of<float>(data, at, n, z);
  if (dtype == DType::f16) return load_values_of<F16>(data, at, n, z);
  load_values_of<Bf16>(data, at, n, z);
}

inline void store_values(void* data, DType dtype, int64_t at, int n, const float* z) {
  if (dtype == DType::f32) return store_values_of<float>(data, at, n, z);
  if (dtype == DType::f16) return store_values_of<F16>(data, at, n, z);
  store_values_of<Bf16>(data, at, n, z);
}

/// No -0 and no +infinity; of probabilities nothing below 0. NaN stays.
inline void plain_values(bool probs, int n, float* z) {
  for (int i = 0; i < n; ++i) {
    float x = z[i] + 0.0f;
    x = x > kLargest ? kLargest : x;
    z[i] = probs && x < 0.0f ? 0.0f : x;
  }
}

}  // namespace
}  // namespace weft
