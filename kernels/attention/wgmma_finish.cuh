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

__device__ __forceinline__ float warp_max(float x) {
  x = quad_max(x);
#pragma unroll
  for (int bit = 4; bit < 32; bit *= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, bit));
  return x;
}

__device__ __forceinline__ float warp_sum(float x) {
  x = quad_sum(x);
#pragma unroll
  for (int bit = 4; bit < 32; bit *= 2) x += __shfl_xor_sync(0xffffffffu, x, bit);
  return x;
}

/// words[j] of lane l of a quad becomes words[l] of lane j.
__device__ __forceinline__ void transpose_quad(uint32_t (&words)[4]) {
#pragma unroll
  for (int bit = 1; bit <= 2; bit *= 2) {
    const bool upper = (threadIdx.x & static_cast<unsigned>(bit)) != 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if ((i & bit) != 0) continue;
      uint32_t& low = words[i];
      uint32_t& high = words[i + bit];
      const uint32_t other = __shfl_xor_sync(0xffffffffu, upper ? low : high, bit);
      low = upper ? other : low;
      high = upper ? high : other;
    }
  }
}

template <AttentionWgmmaSpec spec>
struct WgmmaFinish {
  const AttentionWgmmaParams& params;
  const int32_t warpgroup;
  volatile int32_t* const word;  // of the warpgroup, in shared memory

  /// A tile's state to where it belongs. rows.d: this lane's part.
  template <int n>
  __device__ __forceinline__ void write(const WgmmaTile& t, WgmmaRows rows,
                                        const float (&o)[n]) const {
    rows.d[0] = quad_sum(rows.d[0]);
    rows.d[1] = quad_sum(rows.d[1]);
    if (t.merge < 0) {
      write_whole(t, rows, o);
    } else {
      write_piece(t, rows, o);
      arrive_and_merge(t);
    }
  }

  /// Values of a row in chunks of 16 bytes: four lanes that share the row turn their words round.
  template <int n>
  __device__ __forceinline__ void store_chunks(int64_t at, bool exists, int half, float factor,
                                               const float (&o)[n]) const {
    uint4* const to = static_cast<uint4*>(params.args.o) + at / 8 + threadIdx.x % 4;
#pragma unroll
    for (int i = 2 * half; i < n; i += 16) {
      if (Fragment::column_of(i) >= spec.head_dim_vo) continue;
      uint32_t words[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const float x = factor == 0.0f ? 0.0f : o[i + 4 * j] * factor;
        const float y = factor == 0.0f ? 0.0f : o[i + 4 * j + 1] * factor;
        words[j] = pack2<spec.dtype_o>(x, y);
      }
      transpose_quad(words);
      if (exists)
        to[Fragment::column_of(i) / 8] = make_uint4(words[0], words[1], words[2], words[3]);
    }
  }

  template <int n>
  __device__ __forceinline__ void store_values(int64_t at, float factor, int half,
                                               const float (&o)[n]) const {
#pragma unroll
    for (int i = half * 2; i < n; i += i % 2 == 0 ? 1 : 3) {
      const int32_t column = Fragment::column_of(i) + Fragment::column();
      if (2 * n > spec.head_dim_vo && column >= spec.head_dim_vo) continue;
      store_value<spec.dtype_o>(params.args.o, at + column, factor == 0.0f ? 0.0f : o[i] * factor);
    }
  }

  /// Normalised; a factor of 0 writes zeros.
  template <int n>
  __device__ __forceinline__ void write_whole(const WgmmaTile& t, const WgmmaRows& rows,
                                              const float (&o)[n]) const {
    const AttentionParams& args = params.args;
    constexpr bool kChunks = spec.dtype_o != DType::f32 && spec.head_dim_vo % 32 == 0;
    const bool aligned = (reinterpret_cast<uint64_t>(args.o) & 15) == 0 &&
                         ((args.o_stride_token | args.o_stride_head) & 7) == 0;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int32_t row = warpgroup * 64 + Fragment::row(half);
      const bool exists = row < t.rows;
      float factor = 0.0f;
      int64_t at = 0;
      if (exists) {
        const WgmmaRowPlace place = WgmmaRowPlace::of(params, t, row);
        factor =
            finish_row(args, place, t.kv_head, rows.m[half], rows.d[half], threadIdx.x % 4 == 0);
        at = place.token * args.o_stride_token + place.head * args.o_stride_head;
      }
      if constexpr (kChunks) {
        if (aligned) {
          store_chunks(at, exists, half, factor, o);
          continue;
        }
      }
      if (exists) store_values(at, factor, half, o);
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

  /// Folds the states of kRows rows from `first` on and writes them; by one warp, each lane every
  /// 32nd column. The rows go side by side, so that their loads wait for each other's company only.
  template <int kRows>
  __device__ __forceinline__ void merge_rows(const WgmmaTile& t, const MergeItem& merge,
                                             int32_t lane, int32_t first, int32_t end) const {
    constexpr int kEach = (spec.head_dim_vo + 31) / 32;
    const AttentionParams& args = params.args;
    const auto index = [&](int32_t state, int r) {
      return partial_index(
          t, merge.partial_row + int64_t{state} * merge.rows + min_of(first + r, end - 1));
    };
    float m[kRows], d[kRows] = {}, o[kRows][kEach] = {};
#pragma unroll
    for (float& x : m) x = kWgmmaNothing;
#pragma unroll 1
    for (int32_t begin = 0; begin < merge.num_states; begin += 32) {
      const int32_t count = min_of(32, merge.num_states - begin);
      float weight[kRows], state_d[kRows];
#pragma unroll
      for (int r = 0; r < kRows; ++r) {  // lane i: of state begin + i. Others wrote it: past the L1
        const int64_t at = index(begin + min_of(lane, count - 1), r);
        state_d[r] = lane < count ? __ldcg(args.partial_d + at) : 0.0f;
        weight[r] = __ldcg(args.partial_m + at);
      }
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const float mine = state_d[r] != 0.0f ? weight[r] : kWgmmaNothing;
        const float top = fmaxf(m[r], warp_max(mine));
        const float keep = exp2_approx(m[r] - top);
        weight[r] = state_d[r] != 0.0f ? exp2_approx(mine - top) : 0.0f;
        d[r] = d[r] * keep + warp_sum(state_d[r] * weight[r]);
        m[r] = top;
#pragma unroll
        for (float& x : o[r]) x *= keep;
      }
#pragma unroll 2
      for (int32_t i = 0; i < count; ++i) {
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
          const float w = __shfl_sync(0xffffffffu, weight[r], i);
          const float* const from = args.partial_o + index(begin + i, r) * spec.head_dim_vo + lane;
#pragma unroll
          for (int j = 0; j < kEach; ++j) {
            const bool exists = spec.head_dim_vo % 32 == 0 || lane + 32 * j < spec.head_dim_vo;
            // A state of nothing has no sums.
            if (exists && w != 0.0f) o[r][j] += __ldcg(from + 32 * j) * w;
          }
        }
      }
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (first + r >= end) continue;
      const WgmmaRowPlace place = WgmmaRowPlace::of(params, t, first + r);
      const float factor = finish_row(args, place, t.kv_head, m[r], d[r], lane == 0);
      const int64_t at = place.token * args.o_stride_token + place.head * args.o_stride_head + lane;
#pragma unroll
      for (int j = 0; j < kEach; ++j) {
        if (spec.head_dim_vo % 32 != 0 && lane + 32 * j >= spec.head_dim_vo) continue;
        store_value<spec.dtype_o>(args.o, at + 32 * j, factor == 0.0f ? 0.0f : o[r][j] * factor);
      }
    }
  }

  /// After write_piece: of all warpgroups that hold these rows of the tile, the last to arrive
  /// merges them and leaves its part of the counter, 10 bits, at 0 for the next run.
  __device__ __forceinline__ void arrive_and_merge(const WgmmaTile& t) const {
    constexpr int kRows = spec.num_consumers == 3 ? 2 : spec.head_dim_vo > 128 ? 4 : 8;
    const AttentionParams& args = params.args;
    const MergeItem merge = args.merges[t.merge];
    named_barrier_sync(WgmmaBarriers::own + warpgroup, 128);
    if (threadIdx.x % 128 == 0) {
      int32_t* const arrivals = args.merge_arrivals + int64_t{t.merge} * params.head_lanes + t.lane;
      const int32_t shift = 10 * warpgroup;
      const int32_t before = add_acq_rel(arrivals, 1 << shift) >> shift & 1023;
      const bool last = before + 1 == merge.num_pieces;
      if (last) add_acq_rel(arrivals, -(merge.num_pieces << shift));
      *word = last;
    }
    named_barrier_sync(WgmmaBarriers::own + warpgroup, 128);
    if (*word == 0) return;
    const int32_t thread = static_cast<int32_t>(threadIdx.x % 128);
    // The same in all lanes of a warp: where the compiler does not see it, it keeps the descriptors
    // of the main loop out of the uniform registers.
    const int32_t warp = __shfl_sync(0xffffffffu, thread / 32, 0);
    const int32_t end = min_of(merge.rows, warpgroup * 64 + 64);
#pragma unroll 1
    for (int32_t row = warpgroup * 64 + warp * kRows; row < end; row += 4 * kRows) {
      merge_rows<kRows>(t, merge, thread % 32, row, end);
    }
  }
};

}  // namespace weft
