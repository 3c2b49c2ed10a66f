// SPDX-License-Identifier: Apache-2.0
// What the ways past a row have in common (sample_search.cuh, sample_whole.cuh, sample.cuh): their
// types for a spec, and what one thread read of a sample's request.
#pragma once

#include "kernels/sampling/params.h"
#include "kernels/sampling/whole_row.cuh"

namespace weft {
namespace sampling_kernel {

template <SamplingRowSpec spec>
using Values =
    typename ValuesOf<spec.slices.kept, ReadValues<spec.dtype, spec.vec, spec.probs, false>>::Type;
template <SamplingRowSpec spec>
using Search = RowSearch<spec.slices, spec.probs, Values<spec>>;
template <SamplingRowSpec spec>
using Pick = RowPick<spec.slices, spec.probs, Values<spec>>;

template <SamplingRowSpec spec>
using WholeOf = WholeRow<spec.dtype, spec.vec, Pick<spec>>;

/// Keys up to this one are of values that cannot be drawn.
template <SamplingRowSpec spec>
inline constexpr uint32_t kNoKey = spec.probs ? 0x80000000u : kMaskedKey;

/// Where the first thread leaves the bits of a draw.
template <SamplingRowSpec spec>
__device__ __forceinline__ uint32_t random_at(const Search<spec>& row) {
  return row.smem + Search<spec>::kSmem.words + 48;
}

/// What a sample asks for but for what adjusts logits, in shared memory: registers are for values.
template <SamplingRowSpec spec>
__device__ __forceinline__ void put_request(const Search<spec>& row, const SampleRequest& r) {
  const uint32_t at = row.smem + Search<spec>::kSmem.words + 64;
  store_shared(at, make_float4(r.temperature, r.top_p, r.min_p, __int_as_float(r.top_k)));
  store_shared(at + 16, static_cast<int32_t>(r.bad));
  store_shared(at + 20, static_cast<int32_t>(r.fault));
}
template <SamplingRowSpec spec>
__device__ __forceinline__ SampleRequest get_request(const Search<spec>& row) {
  const uint32_t at = row.smem + Search<spec>::kSmem.words + 64;
  const float4 four = load_shared_f32x4(at);
  SampleRequest r{};
  r.temperature = four.x, r.top_p = four.y, r.min_p = four.z;
  r.top_k = static_cast<int32_t>(bits_of(four.w));
  r.bad = load_shared_i32(at + 16) != 0;
  r.fault = static_cast<RowFault>(load_shared_i32(at + 20));
  return r;
}

/// All of the row counts, at least until top-p has looked at it.
__device__ __forceinline__ bool takes_whole_row(const SampleRequest& r, const SamplingParams& p) {
  return !r.greedy() && r.top_k >= p.vocab_size;
}

/// What a row's first look told, in shared memory while registers are for other things.
template <SamplingRowSpec spec>
__device__ __forceinline__ void put_top(const Search<spec>& row, Top top) {
  const uint32_t at = row.smem + Search<spec>::kSmem.words + 88;
  store_shared(at, pair_of(top.key, top.floor));  // the same from every thread
}
template <SamplingRowSpec spec>
__device__ __forceinline__ Top get_top(const Search<spec>& row) {
  const uint64_t both = load_shared_u64(row.smem + Search<spec>::kSmem.words + 88);
  return {static_cast<uint32_t>(both >> 32), static_cast<uint32_t>(both)};
}

template <SamplingRowSpec spec>
__device__ __forceinline__ MassScale scale_of(const SampleRequest& r, Top top) {
  if constexpr (spec.probs) return MassScale::of_probs(value_of(top.key));
  return MassScale::of_logits(value_of(top.key), r.temperature == 0.0f ? 1.0f : r.temperature);
}

/// Few tokens are kept at most, and a floor tells which may be.
template <SamplingRowSpec spec>
__device__ __forceinline__ bool takes_few(const SampleRequest& r, const SamplingParams& p,
                                          Top top) {
  if (!spec.slices.kept && takes_whole_row(r, p)) return false;
  return r.kept_at_most() <= kMostFloorTokens && top.floor > kNoKey<spec>;
}

/// Writes four values of a row from element `at` on, those before `end`.
template <SamplingRowSpec spec>
__device__ __forceinline__ void store_four(char* out, int32_t at, int32_t end,
                                           const float (&z)[4]) {
  constexpr int kSize = size_of(spec.dtype_out);
  if (spec.vec == 4 && at + 4 <= end) {
    store_raw(out + int64_t{at} * kSize, from_f32<spec.dtype_out, 4>(z));
    return;
  }
#pragma unroll
  for (int e = 0; e < 4; ++e) {
    const float one[1] = {z[e]};
    if (at + e >= end) break;
    store_raw(out + int64_t{at + e} * kSize, from_f32<spec.dtype_out, 1>(one));
  }
}

}  // namespace sampling_kernel
}  // namespace weft
