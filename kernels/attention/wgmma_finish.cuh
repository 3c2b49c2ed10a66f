// SPDX-License-Identifier: Apache-2.0
// From a tile's state to memory: whole tiles are normalised and written, pieces of a cut tile leave
// f32 states, and the last piece to arrive folds them in ascending order of keys. Knows no keys.
#pragma once

#include "kernels/attention/wgmma_softmax.cuh"
#include "kernels/ptx/atomic.cuh"
#include "kernels/ptx/named_barrier.cuh"

namespace weft {

/// Where a packed row of a tile lies in o and lse.
struct WgmmaRowPlace {
  int64_t token;
  int32_t head;

  static __device__ __forceinline__ WgmmaRowPlace of(const AttentionWgmmaParams& p,
                                                     const WgmmaTile& t, int32_t row) {
    const int32_t packed = t.row_begin + row;
    const int32_t token = p.group.quotient(packed);
    return {int64_t{t.first_token} + token,
            t.kv_head * p.group.divisor + p.group.remainder(packed, token)};
  }
};

/// What a row's accumulator must be multiplied by, 0 for a row that saw nothing. Writes lse when
/// `writes`.
__device__ __forceinline__ float finish_row(const AttentionParams& p, const WgmmaRowPlace& at,
                                            int32_t kv_head, float m, float d, bool writes) {
  float factor = 0.0f;
  float lse = -__int_as_float(0x7f800000);
  if (d != 0.0f) {
    factor = 1.0f;
    if (p.sink != nullptr) {
      const float sink = p.sink[at.head] * kWgmmaLog2E;
      const float top = fmaxf(m, sink);
      factor = exp2_approx(m - top);
      d = d * factor + exp2_approx(sink - top);
      m = top;
    }
    constexpr float kLn2 = 0.693147180559945309417f;
    lse = (m + log2f(d)) * kLn2 * p.lse_scale;
    factor *= p.v_scale / d;
    if (p.v_scales != nullptr) factor *= p.v_scales[kv_head];
  }
  if (writes && p.lse != nullptr) {
    p.lse[at.token * p.lse_stride_token + at.head * p.lse_stride_head] = lse;
  }
  return factor;
}

template <DType kType>
__device__ __forceinline__ void store_value(void* o, int64_t at, float x) {
  if constexpr (kType == DType::f32) {
    static_cast<float*>(o)[at] = x;
  } else {
    static_cast<uint16_t*>(o)[at] = narrow<kType>(x);
  }
}

template <AttentionWgmmaSpec spec>
struct WgmmaFinish {
  const AttentionWgmmaParams& params;
  const int32_t warpgroup;

  /// Neighbours in a row as one store, where o's strides allow it; a factor of 0 writes zeros.
  __device__ __forceinline__ void store_pair(int64_t at, bool even, float x, float y) const {
    void* const o = params.args.o;
    if constexpr (spec.dtype_o != DType::f32) {
      if (even) {
        static_cast<uint32_t*>(o)[at / 2] = pack2<spec.dtype_o>(x, y);
        return;
      }
    }
    store_value<spec.dtype_o>(o, at, x);
    store_value<spec.dtype_o>(o, at + 1, y);
  }

  template <int n>
  __device__ __forceinline__ void write_whole(const WgmmaTile& t, const WgmmaRows& rows,
                                              const float (&o)[n]) const {
    const AttentionParams& args = params.args;
    const bool even = (reinterpret_cast<uint64_t>(args.o) & 3) == 0 &&
                      (args.o_stride_token & 1) == 0 && (args.o_stride_head & 1) == 0;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int32_t row = warpgroup * 64 + Fragment::row(half);
      if (row >= t.rows) continue;
      const WgmmaRowPlace place = WgmmaRowPlace::of(params, t, row);
      const float factor =
          finish_row(args, place, t.kv_head, rows.m[half], rows.d[half], threadIdx.x % 4 == 0);
      const int64_t at =
          place.token * args.o_stride_token + place.head * args.o_stride_head + Fragment::column();
#pragma unroll
      for (int i = 2 * half; i < n; i += 4) {
        if (2 * n > spec.head_dim_vo &&
            Fragment::column_of(i) + Fragment::column() >= spec.head_dim_vo)
          continue;
        const float x = factor == 0.0f ? 0.0f : o[i] * factor;
        const float y = factor == 0.0f ? 0.0f : o[i + 1] * factor;
        store_pair(at + Fragment::column_of(i), even, x, y);
      }
    }
  }

  __device__ __forceinline__ int64_t partial_index(const WgmmaTile& t, int64_t row) const {
    return int64_t{t.lane} * params.args.partial_rows + row;
  }

  template <int n>
  __device__ __forceinline__ void write_piece(const WgmmaTile& t, const WgmmaRows& rows,
                                              const float (&o)[n]) const {
    const AttentionParams& args = params.args;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int32_t row = warpgroup * 64 + Fragment::row(half);
      if (row >= t.rows) continue;
      const int64_t at = partial_index(t, int64_t{t.partial_row} + row);
      if (threadIdx.x % 4 == 0) {
        args.partial_m[at] = rows.m[half];
        args.partial_d[at] = rows.d[half];
      }
      if (rows.d[half] == 0.0f) continue;
      float* const to = args.partial_o + at * spec.head_dim_vo + Fragment::column();
#pragma unroll
      for (int i = 2 * half; i < n; i += 4) {
        if (2 * n > spec.head_dim_vo &&
            Fragment::column_of(i) + Fragment::column() >= spec.head_dim_vo)
          continue;
        *reinterpret_cast<float2*>(to + Fragment::column_of(i)) = make_float2(o[i], o[i + 1]);
      }
    }
  }

  /// Folds one row's states and writes it; by one warp, each lane every 32nd column.
  __device__ __forceinline__ void merge_row(const WgmmaTile& t, const MergeItem& merge,
                                            int32_t row) const {
    constexpr int kEach = (spec.head_dim_vo + 31) / 32;
    const AttentionParams& args = params.args;
    const int32_t thread = static_cast<int32_t>(threadIdx.x % 32);
    float m = kWgmmaNothing, d = 0.0f, o[kEach] = {};
#pragma unroll 1
    for (int32_t i = 0; i < merge.num_states; ++i) {
      const int64_t at = partial_index(t, merge.partial_row + int64_t{i} * merge.rows + row);
      const float other_d = __ldcg(args.partial_d + at);  // others wrote it: past the L1
      if (other_d == 0.0f) continue;
      const float other_m = __ldcg(args.partial_m + at);
      const float top = fmaxf(m, other_m);
      const float a = exp2_approx(m - top), b = exp2_approx(other_m - top);
      d = d * a + other_d * b;
      m = top;
#pragma unroll
      for (int j = 0; j < kEach; ++j) {
        const int32_t column = thread + 32 * j;
        if (column >= spec.head_dim_vo) continue;
        o[j] = o[j] * a + __ldcg(args.partial_o + at * spec.head_dim_vo + column) * b;
      }
    }
    const WgmmaRowPlace place = WgmmaRowPlace::of(params, t, row);
    const float factor = finish_row(args, place, t.kv_head, m, d, thread == 0);
    const int64_t at = place.token * args.o_stride_token + place.head * args.o_stride_head;
#pragma unroll
    for (int j = 0; j < kEach; ++j) {
      const int32_t column = thread + 32 * j;
      if (column >= spec.head_dim_vo) continue;
      store_value<spec.dtype_o>(args.o, at + column, factor == 0.0f ? 0.0f : o[j] * factor);
    }
  }

  /// After write_piece, by all consumers: the last of a tile's pieces merges it and leaves the
  /// counter at 0 for the next run. `word` is in shared memory.
  __device__ __forceinline__ void arrive_and_merge(const WgmmaTile& t, volatile int32_t* word,
                                                   uint32_t barrier) const {
    constexpr uint32_t kThreads = 128 * spec.num_consumers;
    const AttentionParams& args = params.args;
    const MergeItem merge = args.merges[t.merge];
    const int32_t thread = static_cast<int32_t>(threadIdx.x) - 128;
    named_barrier_sync(barrier, kThreads);
    if (thread == 0) {
      int32_t* const arrivals = args.merge_arrivals + int64_t{t.merge} * params.head_lanes + t.lane;
      const bool last = add_acq_rel(arrivals, 1) + 1 == merge.num_pieces;
      if (last) *arrivals = 0;
      *word = last;
    }
    named_barrier_sync(barrier, kThreads);
    const bool last = *word != 0;
    if (last) {
#pragma unroll 1
      for (int32_t row = thread / 32; row < merge.rows; row += 4 * spec.num_consumers) {
        merge_row(t, merge, row);
      }
    }
    named_barrier_sync(barrier, kThreads);  // `word` is read before the next tile writes it
  }
};

}  // namespace weft
