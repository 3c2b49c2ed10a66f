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
  if (d != 0.0f) {
    factor = 1.0f;
    if (p.sink != nullptr) {
      const float sink = p.sink[at.head] * kWgmmaLog2E;
      const float top = fmaxf(m, sink);
      factor = exp2_approx(m - top);
      d = d * factor + exp2_approx(sink - top);
      m = top;
    }
    factor *= p.v_scale / d;
    if (p.v_scales != nullptr) factor *= p.v_scales[kv_head];
  }
  if (writes && p.lse != nullptr) {
    constexpr float kLn2 = 0.693147180559945309417f;
    p.lse[at.token * p.lse_stride_token + at.head * p.lse_stride_head] =
        d != 0.0f ? (m + log2f(d)) * kLn2 * p.lse_scale : -__int_as_float(0x7f800000);
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

  /// A tile's state to where it belongs; o is used up. rows.d: this lane's part.
  template <int n>
  __device__ __forceinline__ void write(const WgmmaTile& t, WgmmaRows rows, float (&o)[n]) const {
    rows.d[0] = quad_sum(rows.d[0]);
    rows.d[1] = quad_sum(rows.d[1]);
    if (t.merge >= 0) {
      const MergeItem merge = params.args.merges[t.merge];
      write_piece(t, rows, o);
      if (!arrives_last(t, merge)) return;
      merge_states(t, merge, rows, o);
    }
    write_whole(t, rows, o);
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
        words[j] = pack2<spec.dtype_o>(o[i + 4 * j] * factor, o[i + 4 * j + 1] * factor);
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
      store_value<spec.dtype_o>(params.args.o, at + column, o[i] * factor);
    }
  }

  /// Normalised; rows that saw nothing become zeros, whatever 0 * V left of them.
  template <int n>
  __device__ __forceinline__ void write_whole(const WgmmaTile& t, const WgmmaRows& rows,
                                              float (&o)[n]) const {
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
      if (factor == 0.0f) {
#pragma unroll
        for (int i = 2 * half; i < n; i += i % 2 == 0 ? 1 : 3) o[i] = 0.0f;
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

  /// Where this thread's 16 bytes of columns 0 .. 15 of a partial row lie; those of the next 16 are
  /// 16 floats on. A lane's two pairs of 16 columns stand together: whole sectors for a quad, and
  /// the merge reads them as they lie.
  __device__ __forceinline__ float4* partial_chunks(const WgmmaTile& t, int64_t row) const {
    return reinterpret_cast<float4*>(params.args.partial_o +
                                     partial_index(t, row) * spec.head_dim_vo) +
           threadIdx.x % 4;
  }

  template <int n>
  __device__ __forceinline__ void write_piece(const WgmmaTile& t, const WgmmaRows& rows,
                                              const float (&o)[n]) const {
    const AttentionParams& args = params.args;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int32_t row = warpgroup * 64 + Fragment::row(half);
      if (row >= t.rows) continue;
      const int64_t at = int64_t{t.partial_row} + row;
      if (threadIdx.x % 4 == 0) {
        args.partial_m[partial_index(t, at)] = rows.m[half];
        args.partial_d[partial_index(t, at)] = rows.d[half];
      }
      if (rows.d[half] == 0.0f) continue;
      float4* const to = partial_chunks(t, at);
#pragma unroll
      for (int i = 2 * half; i < spec.head_dim_vo / 2; i += 8) {
        to[i / 8 * 4] = make_float4(o[i], o[i + 1], o[i + 4], o[i + 5]);
      }
    }
  }

  /// Folds the states of a tile's rows, each thread those of its own values.
  template <int n>
  __device__ __forceinline__ void merge_states(const WgmmaTile& t, const MergeItem& merge,
                                               WgmmaRows& rows, float (&o)[n]) const {
    const AttentionParams& args = params.args;
    rows = {};
#pragma unroll
    for (float& x : o) x = 0.0f;
#pragma unroll 1
    for (int32_t state = 0; state < merge.num_states; ++state) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int32_t row = warpgroup * 64 + Fragment::row(half);
        const int64_t at =
            merge.partial_row + int64_t{state} * merge.rows + min_of(row, merge.rows - 1);
        // Others wrote it: past the L1. What a state of nothing left of o is not looked at.
        const float d = __ldcg(args.partial_d + partial_index(t, at));
        const float m = __ldcg(args.partial_m + partial_index(t, at));
        const float4* const from = partial_chunks(t, at);
        float4 x[spec.head_dim_vo / 16];
#pragma unroll
        for (int j = 0; j < spec.head_dim_vo / 16; ++j) x[j] = __ldcg(from + 4 * j);
        if (d == 0.0f) continue;
        const float top = fmaxf(rows.m[half], m);
        const float a = exp2_approx(rows.m[half] - top), b = exp2_approx(m - top);
        rows.d[half] = rows.d[half] * a + d * b;
        rows.m[half] = top;
#pragma unroll
        for (int j = 0; j < spec.head_dim_vo / 16; ++j) {
          float* const to = o + 8 * j + 2 * half;
          to[0] = to[0] * a + x[j].x * b;
          to[1] = to[1] * a + x[j].y * b;
          to[4] = to[4] * a + x[j].z * b;
          to[5] = to[5] * a + x[j].w * b;
        }
      }
    }
  }

  /// After write_piece: whether this is the last warpgroup to arrive of all that hold these rows of
  /// the tile. It finds its part of the counter, 10 bits, full, and leaves it at 0 for the next
  /// run.
  /// REQUIRES: fewer than 1024 pieces; a CTA has at most one of a tile.
  __device__ __forceinline__ bool arrives_last(const WgmmaTile& t, const MergeItem& merge) const {
    const AttentionParams& args = params.args;
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
    // The same in all lanes of a warp: where the compiler does not see it, it keeps the descriptors
    // of the main loop out of the uniform registers.
    return __shfl_sync(0xffffffffu, *word, 0) != 0;
  }
};

}  // namespace weft
