// SPDX-License-Identifier: Apache-2.0
// A row from memory into the shared memory of its cluster, as f32 and in the form that every later
// step sees. Used by sampling and topk.
#pragma once

#include "kernels/sampling/row_search.cuh"
#include "kernels/tile/elements.cuh"

namespace weft {

/// Accesses that a lane has in flight.
inline constexpr int kLoadBatch = 8;

/// The largest of a thread's values, and whether one is NaN.
struct Largest {
  float most = -__int_as_float(0x7f800000);
  bool nan = false;

  /// The form in which a value is kept: no -0, no +infinity, no NaN; of probabilities nothing below
  /// 0, and with `finite` nothing below the lowest number.
  template <bool probs, bool finite = false>
  __device__ __forceinline__ float take(float z) {
    if constexpr (!finite) nan |= z != z;
    if constexpr (finite) z = fmaxf(z, -kLargest);  // NaN too
    z = fminf(__fadd_rn(z, 0.0f), kLargest);
    if constexpr (probs) z = fmaxf(z, 0.0f);
    most = fmaxf(most, z);
    return z;
  }
  __device__ __forceinline__ uint32_t key() const { return nan ? ~0u : key_of(most); }
};

/// Elements [at, at + vec) of a row, or as many as it has, and -infinity behind them.
template <DType dtype, int vec>
__device__ __forceinline__ void end_of_row(const char* data, int32_t at, int32_t length,
                                           float (&z)[vec]) {
  constexpr int kSize = size_of(dtype);
#pragma unroll
  for (int e = 0; e < vec; ++e) {
    float one[1] = {-__int_as_float(0x7f800000)};
    if (at + e < length) {
      to_f32<dtype, 1>(load_raw<kSize>(data + int64_t{at + e} * kSize), one);
    }
    z[e] = one[0];
  }
}

template <int vec>
__device__ __forceinline__ void keep_values(uint32_t to, const float (&z)[vec]) {
  if constexpr (vec == 4) {
    store_shared(to, make_float4(z[0], z[1], z[2], z[3]));
  } else {
    store_shared(to, static_cast<int32_t>(bits_of(z[0])));
  }
}

/// The row's values into shared memory, each thread those it will look at; the largest of them.
template <DType dtype, int vec, bool finite, RowSlices slices, bool linear>
__device__ __forceinline__ Largest load_row(const RowSearch<slices, linear>& row, const char* data,
                                            int32_t length) {
  using Search = RowSearch<slices, linear>;
  constexpr int kSize = size_of(dtype), kStep = 32 * vec;
  constexpr int kSteps = slices.stretch() / kStep;
  constexpr int kBatch = kSteps % kLoadBatch == 0 ? kLoadBatch : kSteps % 4 == 0 ? 4 : 1;
  const int32_t begin = row.team.rank * slices.slice + Search::warp() * slices.stretch();
  const int32_t mine = Search::lane() * vec;
  Largest largest;
#pragma unroll 1
  for (int32_t step = 0; step < kSteps; step += kBatch) {
    if (begin + (step + kBatch) * kStep > length) {  // the row ends here
#pragma unroll 1
      for (int32_t i = step; i < step + kBatch; ++i) {
        const int32_t at = begin + i * kStep + mine;
        float z[vec];
        end_of_row<dtype, vec>(data, at, length, z);
#pragma unroll
        for (int e = 0; e < vec; ++e) {
          if (at + e < length) z[e] = largest.template take<linear, finite>(z[e]);
        }
        keep_values<vec>(row.value_at(i * kStep + mine), z);
      }
      continue;
    }
    Raw<vec * kSize> raw[kBatch];
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      const int32_t at = begin + (step + i) * kStep + mine;
      raw[i] = load_raw<vec * kSize>(data + int64_t{at} * kSize);
    }
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      float z[vec];
      to_f32<dtype, vec>(raw[i], z);
#pragma unroll
      for (int e = 0; e < vec; ++e) z[e] = largest.template take<linear, finite>(z[e]);
      keep_values<vec>(row.value_at((step + i) * kStep + mine), z);
    }
  }
  return largest;
}

}  // namespace weft
