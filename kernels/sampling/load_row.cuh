// SPDX-License-Identifier: Apache-2.0
// A row from memory into the shared memory of its cluster, as f32: as it stands, or in the form
// that searches see. Used by sampling and topk.
#pragma once

#include "kernels/sampling/row_search.cuh"
#include "kernels/tile/elements.cuh"

namespace weft {

/// Accesses that a lane has in flight.
inline constexpr int kLoadBatch = 8;

/// The form in which searches see a value: no -0, no +infinity, no NaN; of probabilities nothing
/// below 0, and with `finite` nothing below the lowest number.
template <bool probs, bool finite>
__device__ __forceinline__ float plain_form(float z) {
  if constexpr (finite) z = fmaxf(z, -kLargest);  // NaN too
  z = fminf(__fadd_rn(z, 0.0f), kLargest);
  return probs ? fmaxf(z, 0.0f) : z;
}

/// The largest of a thread's values, and whether one is NaN.
struct Largest {
  float most = -__int_as_float(0x7f800000);
  bool nan = false;

  /// The form in which a value is kept.
  template <bool probs, bool finite = false>
  __device__ __forceinline__ float take(float z) {
    if constexpr (!finite) nan |= z != z;
    z = plain_form<probs, finite>(z);
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

/// A thread's own values: which ones it loads, and what it does with them before others may look.
template <RowSlices slices, int vec>
struct OwnValues {
  static constexpr int kStep = 32 * vec, kSteps = slices.stretch() / kStep;

  int32_t begin;  // of this warp's stretch in the row
  int32_t mine;   // in each step

  __device__ __forceinline__ explicit OwnValues(int32_t rank) {
    const int32_t thread = static_cast<int32_t>(threadIdx.x);
    begin = rank * slices.slice + thread / 32 * slices.stretch();
    mine = thread % 32 * vec;
  }
  /// Where values of step `i` stand in the row, and from this warp's stretch on.
  __device__ __forceinline__ int32_t at(int32_t i) const { return begin + offset(i); }
  __device__ __forceinline__ int32_t offset(int32_t i) const { return i * kStep + mine; }
};

template <int vec>
__device__ __forceinline__ void load_kept(uint32_t from, float (&z)[vec]) {
  if constexpr (vec == 4) {
    const float4 four = load_shared_f32x4(from);
    z[0] = four.x, z[1] = four.y, z[2] = four.z, z[3] = four.w;
  } else {
    z[0] = load_shared_f32(from);
  }
}

struct Nothing {
  __device__ __forceinline__ void operator()() const {}
};

/// The row into shared memory as searches see it, and -infinity behind it; the largest of this
/// thread's values. `meanwhile` runs once the first of them are on their way.
template <DType dtype, int vec, bool finite, RowSlices slices, bool linear, class Meanwhile>
__device__ __forceinline__ Largest load_row(const RowSearch<slices, linear>& row, const char* data,
                                            int32_t length, Meanwhile&& meanwhile) {
  using Own = OwnValues<slices, vec>;
  constexpr int kSize = size_of(dtype), kSteps = Own::kSteps;
  constexpr int kBatch = kSteps % kLoadBatch == 0 ? kLoadBatch : kSteps % 4 == 0 ? 4 : 1;
  const Own own(row.team.rank);
  Largest largest;
#pragma unroll 1
  for (int32_t step = 0; step < kSteps; step += kBatch) {
    const bool whole = own.begin + (step + kBatch) * Own::kStep <= length;
    Raw<vec * kSize> raw[kBatch];
    if (whole) {
#pragma unroll
      for (int i = 0; i < kBatch; ++i) {
        raw[i] = load_raw<vec * kSize>(data + int64_t{own.at(step + i)} * kSize);
      }
    }
    if (step == 0) meanwhile();
    float z[vec];
    if (!whole) {  // the row ends here
#pragma unroll 1
      for (int32_t i = step; i < step + kBatch; ++i) {
        end_of_row<dtype, vec>(data, own.at(i), length, z);
#pragma unroll
        for (int e = 0; e < vec; ++e) {
          if (own.at(i) + e < length) z[e] = largest.template take<linear, finite>(z[e]);
        }
        keep_values<vec>(row.value_at(own.offset(i)), z);
      }
      continue;
    }
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      to_f32<dtype, vec>(raw[i], z);
#pragma unroll
      for (int e = 0; e < vec; ++e) z[e] = largest.template take<linear, finite>(z[e]);
      keep_values<vec>(row.value_at(own.offset(step + i)), z);
    }
  }
  return largest;
}

template <DType dtype, int vec, bool finite, RowSlices slices, bool linear>
__device__ __forceinline__ Largest load_row(const RowSearch<slices, linear>& row, const char* data,
                                            int32_t length) {
  return load_row<dtype, vec, finite>(row, data, length, Nothing());
}

}  // namespace weft
