// SPDX-License-Identifier: Apache-2.0
// A row that passes by: read once, never kept. Its first values, from everywhere in a CTA's slice,
// give a floor; what reaches it of the others is put on a list. Used by sampling and topk.
#pragma once

#include "kernels/ptx/compare.cuh"
#include "kernels/sampling/pick_row.cuh"

namespace weft {

/// The values of a CTA's slice, in memory, each time in the form that searches see. Where that is
/// lies in shared memory: a search has no registers left for it.
template <DType dtype, int vec, bool probs, bool finite>
struct ReadValues {
  uint32_t place;

  /// Behind a barrier all see it.
  __device__ __forceinline__ void put(const char* data, int32_t number) const {
    if (threadIdx.x != 0) return;
    store_shared(place, reinterpret_cast<uint64_t>(data));
    store_shared(place + 8, number);
  }

  __device__ __forceinline__ float4 four(int32_t i) const {
    constexpr int kSize = size_of(dtype);
    const int32_t number = load_shared_i32(place + 8);
    const auto* const data = reinterpret_cast<const char*>(load_shared_u64(place));
    float z[4];
    if (vec == 4 && i + 4 <= number) {
      to_f32<dtype, 4>(load_raw<4 * kSize>(data + int64_t{i} * kSize), z);
    } else {
      end_of_row<dtype, 4>(data, i, number, z);
    }
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      if (i + e < number) z[e] = plain_form<probs, finite>(z[e]);  // behind the row: -infinity
    }
    return make_float4(z[0], z[1], z[2], z[3]);
  }
  __device__ __forceinline__ float one(int32_t i) const {
    constexpr int kSize = size_of(dtype);
    float z[1] = {-__int_as_float(0x7f800000)};
    if (i >= load_shared_i32(place + 8)) return z[0];
    const auto* const data = reinterpret_cast<const char*>(load_shared_u64(place));
    to_f32<dtype, 1>(load_raw<kSize>(data + int64_t{i} * kSize), z);
    return plain_form<probs, finite>(z[0]);
  }
};

/// A row's values: in shared memory where it is kept, else as `Read` has them.
template <bool kept, class Read>
struct ValuesOf {
  using Type = KeptValues;
};
template <class Read>
struct ValuesOf<false, Read> {
  using Type = Read;
};

/// A row of which no values are counted.
struct NoCounts {
  static constexpr bool kCounts = false;
  __device__ __forceinline__ void clear() const {}
};

/// One CTA's way through its slice: chunks of an access a thread, in 8 lanes of neighbouring chunks
/// that are read side by side, and elements behind the last whole chunk.
template <DType dtype, int vec, bool finite, class Pick>
struct RowStream {
  static constexpr int kSize = size_of(dtype), kLanes = 8;
  static constexpr int kChunk = Pick::kThreads * vec;
  using Access = Raw<vec * kSize>;

  Pick& pick;
  const char* data;  // of this thread's element in the first chunk
  int32_t at;        // where that stands in the row
  int32_t number;    // of elements
  int32_t chunks;    // whole ones
  int32_t rounds;    // chunks of a lane

  __device__ __forceinline__ RowStream(Pick& to, const char* row_data, int32_t begin,
                                       int32_t length, int32_t slice)
      : pick(to),
        at(begin + static_cast<int32_t>(threadIdx.x) * vec),
        number(max_of(min_of(length - begin, slice), 0)),
        chunks(number / kChunk),
        rounds(ceil_div(chunks, kLanes)) {
    data = row_data + int64_t{at} * kSize;
  }

  __device__ __forceinline__ int32_t chunk_of(int32_t lane, int32_t round) const {
    return lane * rounds + round;
  }
  __device__ __forceinline__ void load(Access& to, int32_t chunk) const {
    if (chunk < chunks) {
      to = load_raw<vec * kSize>(data + int64_t{chunk} * (kChunk * kSize));
      return;
    }
    constexpr uint32_t kHalf = dtype == DType::bf16 ? 0xff80u : 0xfc00u;
    constexpr uint32_t kNothing = dtype == DType::f32 ? 0xff800000u : kHalf << 16 | kHalf;
#pragma unroll
    for (uint32_t& word : to.word) word = kNothing;
  }

  __device__ __forceinline__ static float larger(float a, float b) {
    return finite ? fmaxf(a, b) : max_or_nan(a, b);
  }
  __device__ __forceinline__ static float most_of(const Access& raw) {
    float z[vec];
    to_f32<dtype, vec>(raw, z);
    float most = z[0];
#pragma unroll
    for (int e = 1; e < vec; ++e) most = larger(most, z[e]);
    return most;
  }

  /// visit(value, position) for the elements behind the last whole chunk.
  template <class F>
  __device__ __forceinline__ void each_left(F&& visit) const {
    const auto thread = static_cast<int32_t>(threadIdx.x);
    const char* const first = data - int64_t{thread} * (vec * kSize);
#pragma unroll 1
    for (int32_t i = chunks * kChunk + thread; i < number; i += Pick::kThreads) {
      float z[1];
      to_f32<dtype, 1>(load_raw<kSize>(first + int64_t{i} * kSize), z);
      visit(z[0], at - thread * vec + i);
    }
  }

  /// The largest of this thread's values, and on the list what reaches a floor that k values do;
  /// the list is whole when `listed`. `meanwhile` runs once the first values are on their way;
  /// tokens() is how many are wanted. Where counts.begin(what the first values tell) says so, all
  /// values below the largest of these are counted instead, and the others put on the list.
  template <uint32_t none, class Meanwhile, class Tokens, class Counts>
  __device__ __forceinline__ Top run(Meanwhile&& meanwhile, Tokens&& tokens, Counts& counts) {
    Access raw[kLanes];
#pragma unroll
    for (int i = 0; i < kLanes; ++i) load(raw[i], chunk_of(i, 0));
    float most = -__int_as_float(0x7f800000);
    each_left([&](float z, int32_t) { most = larger(most, z); });
    meanwhile();
#pragma unroll
    for (int i = 0; i < kLanes; ++i) most = larger(most, most_of(raw[i]));
    Top top = find_top_of(pick.row, key_of_most(most), tokens);
    bool counted = false;
    if constexpr (Counts::kCounts) {
      counted = counts.begin(top);
      if (counted) top.floor = max_of(top.key, none + 1);
    }
    // Where there is no floor nothing is as large.
    const float least = top.floor > none ? value_of(top.floor) : __int_as_float(0x7fc00000);
    each_left([&](float z, int32_t i) {
      if (z >= least) {
        pick.template offer<finite>(z, i);
      } else if constexpr (Counts::kCounts) {
        if (counted) counts.count(z);
      }
    });
#pragma unroll 1
    for (int32_t round = 0; round < rounds; ++round) {
#pragma unroll
      for (int i = 0; i < kLanes; ++i) {
        const float here = most_of(raw[i]);
        most = larger(most, here);
        if (counted || here >= least) {
          take_each(raw[i], chunk_of(i, round), least, counted, counts);
        }
        load(raw[i], round + 1 < rounds ? chunk_of(i, round + 1) : chunks);
      }
    }
    if constexpr (kMostRounds == 1) {
      if (counted) pick.row.team.meet();
      return top;
    }
    if constexpr (Pick::kCtas == 1) __syncthreads();  // all have read what the last search told
    const uint32_t floor = top.floor;
    top = find_top_of(pick.row, key_of_most(most), tokens);
    top.floor = floor > none ? max_of(top.floor, floor) : 0;
    return top;
  }
  template <uint32_t none, class Meanwhile, class Tokens>
  __device__ __forceinline__ Top run(Meanwhile&& meanwhile, Tokens&& tokens) {
    NoCounts counts;
    return run<none>(meanwhile, tokens, counts);
  }

 private:
  static constexpr int kMostRounds = ceil_div(Pick::kSlices.slice, kChunk* kLanes);

  __device__ __forceinline__ static uint32_t key_of_most(float most) {
    return most != most ? ~0u : key_of(plain_form<Pick::kLinear, finite>(most));
  }
  template <class Counts>
  __device__ __forceinline__ void take_each(const Access& raw, int32_t chunk, float least,
                                            bool counted, const Counts& counts) const {
    float z[vec];
    to_f32<dtype, vec>(raw, z);
#pragma unroll
    for (int e = 0; e < vec; ++e) {
      if (z[e] >= least) {
        pick.template offer<finite>(z[e], at + chunk * kChunk + e);
      } else if constexpr (Counts::kCounts) {
        if (counted) counts.count(z[e]);
      }
    }
  }
};

}  // namespace weft
