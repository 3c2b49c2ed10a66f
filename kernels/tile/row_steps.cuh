// SPDX-License-Identifier: Apache-2.0
// each_step: the values of a long row as its threads read them, a warp its stretch, 32 accesses of
// neighbours at a time and several steps in flight. Used by verify and logprobs, which read a row
// twice and keep none of it; knows neither.
#pragma once

#include "kernels/tile/row_slices.h"

namespace weft {

template <RowSlices slices, int vec>
struct RowSteps {
  static constexpr int32_t kStep = 32 * vec, kSteps = slices.stretch() / kStep;
  static_assert(slices.stretch() % kStep == 0);

  /// Where the stretch of this warp of CTA `rank` begins in the row.
  __device__ __forceinline__ static int32_t begin(int32_t rank) {
    return rank * slices.slice + static_cast<int32_t>(threadIdx.x) / 32 * slices.stretch();
  }
  /// Where this thread's values of step `step` begin behind that.
  __device__ __forceinline__ static int32_t at(int32_t step) {
    return step * kStep + static_cast<int32_t>(threadIdx.x) % 32 * vec;
  }

  /// The values of one step, whether the row ends in it or not. `Source` has size(); nothing(), the
  /// value behind the row's end; load<n>(at), n neighbours, kStepsInFlight of them at a time; and
  /// finish(at, loaded, z).
  template <class Source>
  __device__ __forceinline__ static void load_step(const Source& source, int32_t at,
                                                   float (&z)[vec]) {
    if (at + vec <= source.size()) {
      source.finish(at, source.template load<vec>(at), z);
      return;
    }
#pragma unroll
    for (int e = 0; e < vec; ++e) {
      float one[1] = {source.nothing()};
      if (at + e < source.size()) source.finish(at + e, source.template load<1>(at + e), one);
      z[e] = one[0];
    }
  }

  /// visit(at, z) for each of this thread's groups of neighbours [at, at + vec).
  template <class Source, class Visit>
  __device__ __forceinline__ static void each(int32_t rank, const Source& source, Visit&& visit) {
    constexpr int32_t kMost = Source::kStepsInFlight;
    constexpr int32_t kBatch = kSteps % kMost == 0 ? kMost : kSteps % 2 == 0 ? 2 : 1;
    const int32_t first = begin(rank);
#pragma unroll 1
    for (int32_t step = 0; step < kSteps; step += kBatch) {
      if (first + step * kStep >= source.size()) return;
      if (first + (step + kBatch) * kStep > source.size()) {  // the row ends here
#pragma unroll 1
        for (int32_t i = step; i < step + kBatch; ++i) {
          float z[vec];
          load_step(source, first + at(i), z);
          visit(first + at(i), z);
        }
        continue;
      }
      typename Source::template Loaded<vec> loaded[kBatch];
#pragma unroll
      for (int i = 0; i < kBatch; ++i) {
        loaded[i] = source.template load<vec>(first + at(step + i));
      }
#pragma unroll
      for (int i = 0; i < kBatch; ++i) {
        float z[vec];
        source.finish(first + at(step + i), loaded[i], z);
        visit(first + at(step + i), z);
      }
    }
  }
};

}  // namespace weft
