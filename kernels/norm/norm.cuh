// SPDX-License-Identifier: Apache-2.0
// norm_rows: RMS or layer normalisation of rows, with the residual added before and a scale and a
// conversion after. Bound by memory: a row stays in registers from its one load to its one store,
// and the CTAs of an SM hide each other's waits.
#pragma once

#include "kernels/norm/params.h"
#include "kernels/norm/smem.h"
#include "kernels/ptx/griddep.cuh"
#include "kernels/ptx/shared.cuh"
#include "kernels/tile/elements.cuh"

namespace weft {
namespace norm_kernel {

template <NormWarpSpec s>
using RowBits = RawOf<s.dtype, s.vec>[s.vectors()];
template <NormWarpSpec s>
using WeightBits = RawOf<s.dtype_weight, s.vec>[s.vectors()];

/// Addresses of one row. Elements of a lane's i-th vector begin at first(lane, i).
struct Row {
  const char *x, *weight, *bias;  // weight and bias may be null
  char *residual, *out;
  float scale;
  bool exists;
};

template <NormWarpSpec s>
__device__ __forceinline__ Row row_at(const NormParams& p, uint32_t index) {
  constexpr int64_t kIn = size_of(s.dtype), kWeight = size_of(s.dtype_weight);
  Row row;
  row.exists = index < static_cast<uint32_t>(p.num_rows);
  const int32_t i = row.exists ? static_cast<int32_t>(index) : p.num_rows - 1;
  const int32_t token = p.heads.quotient(i), head = p.heads.remainder(i, token);
  row.x = static_cast<const char*>(p.x) + (token * p.x_stride_token + head * p.x_stride_head) * kIn;
  row.residual = nullptr;
  if constexpr (s.adds) {
    row.residual = static_cast<char*>(p.residual) +
                   (token * p.residual_stride_token + head * p.residual_stride_head) * kIn;
  }
  row.out = static_cast<char*>(p.out) +
            (token * p.out_stride_token + head * p.out_stride_head) * size_of(s.dtype_out);
  row.weight = static_cast<const char*>(p.weight);
  if (row.weight != nullptr) row.weight += head * p.weight_stride_head * kWeight;
  row.bias = s.kind == NormKind::layer ? static_cast<const char*>(p.bias) : nullptr;
  if (row.bias != nullptr) row.bias += head * p.bias_stride_head * kWeight;
  row.scale = p.scales == nullptr ? p.scale : p.scale / p.scales[head];
  return row;
}

template <NormWarpSpec s>
__device__ __forceinline__ int32_t first(int32_t lane, int32_t piece, int32_t i) {
  return piece * s.piece_elements() + (lane + i * s.lanes) * s.vec;
}
template <NormWarpSpec s>
__device__ __forceinline__ bool inside(int32_t element) {
  return s.is_even() || element < s.hidden;
}

/// Vectors of one piece of a row; zeros beyond its end.
template <NormWarpSpec s, DType type>
__device__ __forceinline__ void load_piece(const char* row, int32_t lane, int32_t piece,
                                           RawOf<type, s.vec> (&bits)[s.vectors()]) {
#pragma unroll
  for (int32_t i = 0; i < s.vectors(); ++i) {
    const int32_t at = first<s>(lane, piece, i);
    bits[i] = {};
    if (inside<s>(at)) bits[i] = load_raw<s.vec * size_of(type)>(row + int64_t{at} * size_of(type));
  }
}

/// Sum over the lanes of a row, the same bits in each. `turn` tells one sum's memory from the next.
template <NormWarpSpec s>
__device__ __forceinline__ float sum_over_row(float x, int32_t& turn) {
#pragma unroll
  for (int32_t i = min_of<int32_t>(s.lanes, 32) / 2; i > 0; i /= 2) {
    x += __shfl_xor_sync(~0u, x, i);
  }
  if constexpr (s.warps_per_row() > 0) {
    const uint32_t sums = dynamic_smem() + static_cast<uint32_t>(turn * 4 * s.warps_per_row());
    turn ^= 1;
    if (threadIdx.x % 32 == 0) store_shared(sums + threadIdx.x / 32 * 4, x);
    barrier_sync<s.num_threads>(0);
    x = 0.0f;
#pragma unroll
    for (int32_t i = 0; i < s.warps_per_row(); i += 2) {
      const float2 two = load_shared_f32x2(sums + static_cast<uint32_t>(4 * i));
      x += two.x;
      x += two.y;
    }
  }
  return x;
}

/// The residual as it will be stored: x + residual, rounded. What follows sees only that.
template <NormWarpSpec s>
__device__ __forceinline__ void add_piece(const Row& row, int32_t lane, int32_t piece,
                                          RowBits<s>& bits, const RowBits<s>& residual) {
#pragma unroll
  for (int32_t i = 0; i < s.vectors(); ++i) {
    float a[s.vec], b[s.vec];
    to_f32<s.dtype, s.vec>(bits[i], a);
    to_f32<s.dtype, s.vec>(residual[i], b);
#pragma unroll
    for (int j = 0; j < s.vec; ++j) a[j] += b[j];
    bits[i] = from_f32<s.dtype, s.vec>(a);
    const int32_t at = first<s>(lane, piece, i);
    if (row.exists && inside<s>(at))
      store_raw(row.residual + int64_t{at} * size_of(s.dtype), bits[i]);
  }
}

/// A lane's part of the sum of (x - mean)^2 or, with `linear`, of x.
template <NormWarpSpec s, bool linear>
__device__ __forceinline__ float part_of_sum(const RowBits<s>& bits, float mean, int32_t lane,
                                             int32_t piece) {
  float sum = 0.0f;
#pragma unroll
  for (int32_t i = 0; i < s.vectors(); ++i) {
    float x[s.vec];
    to_f32<s.dtype, s.vec>(bits[i], x);
    float part = 0.0f;
#pragma unroll
    for (int j = 0; j < s.vec; ++j) {
      const float d = linear || s.kind == NormKind::rms ? x[j] : x[j] - mean;
      part = linear ? part + d : __fmaf_rn(d, d, part);
    }
    // Zeros beyond the end add nothing to either sum unless a mean is taken off them.
    const bool counts = linear || s.kind == NormKind::rms || inside<s>(first<s>(lane, piece, i));
    sum += counts ? part : 0.0f;
  }
  return sum;
}

struct Statistics {
  float mean, factor;
};

/// y = (x - mean) * factor * (weight + offset) + bias, scaled and rounded.
template <NormWarpSpec s>
__device__ __forceinline__ void write_piece(const NormParams& p, const Row& row, int32_t lane,
                                            int32_t piece, const RowBits<s>& bits,
                                            const WeightBits<s>& weights, Statistics t) {
#pragma unroll
  for (int32_t i = 0; i < s.vectors(); ++i) {
    const int32_t at = first<s>(lane, piece, i);
    if (!row.exists || !inside<s>(at)) continue;
    float y[s.vec], w[s.vec];
    to_f32<s.dtype, s.vec>(bits[i], y);
    to_f32<s.dtype_weight, s.vec>(weights[i], w);
#pragma unroll
    for (int j = 0; j < s.vec; ++j) {
      if constexpr (s.kind == NormKind::layer) y[j] -= t.mean;
      y[j] *= t.factor;
      if (row.weight != nullptr) y[j] *= w[j] + p.weight_offset;
    }
    if (s.kind == NormKind::layer && row.bias != nullptr) {
      to_f32<s.dtype_weight, s.vec>(load_raw<s.vec * size_of(s.dtype_weight)>(
                                        row.bias + int64_t{at} * size_of(s.dtype_weight)),
                                    w);
#pragma unroll
      for (int j = 0; j < s.vec; ++j) y[j] += w[j];
    }
#pragma unroll
    for (int j = 0; j < s.vec; ++j) y[j] *= row.scale;
    store_raw(row.out + int64_t{at} * size_of(s.dtype_out), from_f32<s.dtype_out, s.vec>(y));
  }
}

template <NormWarpSpec s>
__device__ __forceinline__ float factor_of(const NormParams& p, float squares) {
  return rsqrt_approx(squares * (1.0f / static_cast<float>(s.hidden)) + p.eps);
}

/// A row of several pieces: read once for each sum and once to write.
template <NormWarpSpec s>
__device__ __forceinline__ void long_row(const NormParams& p, const Row& row, int32_t lane,
                                         int32_t& turn) {
  RowBits<s> bits;
  const char* const x = s.adds ? row.residual : row.x;
  float sum = 0.0f;
#pragma unroll 1
  for (int32_t piece = 0; piece < s.pieces(); ++piece) {
    load_piece<s, s.dtype>(row.x, lane, piece, bits);
    if constexpr (s.adds) {
      RowBits<s> residual;
      load_piece<s, s.dtype>(row.residual, lane, piece, residual);
      add_piece<s>(row, lane, piece, bits, residual);
    }
    sum += part_of_sum<s, s.kind == NormKind::layer>(bits, 0.0f, lane, piece);
  }
  Statistics t{0.0f, 0.0f};
  sum = sum_over_row<s>(sum, turn);
  if constexpr (s.kind == NormKind::layer) {
    t.mean = sum * (1.0f / static_cast<float>(s.hidden));
    sum = 0.0f;
#pragma unroll 1
    for (int32_t piece = 0; piece < s.pieces(); ++piece) {
      load_piece<s, s.dtype>(x, lane, piece, bits);
      sum += part_of_sum<s, false>(bits, t.mean, lane, piece);
    }
    sum = sum_over_row<s>(sum, turn);
  }
  t.factor = factor_of<s>(p, sum);
#pragma unroll 1
  for (int32_t piece = 0; piece < s.pieces(); ++piece) {
    WeightBits<s> weights{};
    if (row.weight != nullptr) load_piece<s, s.dtype_weight>(row.weight, lane, piece, weights);
    load_piece<s, s.dtype>(x, lane, piece, bits);
    write_piece<s>(p, row, lane, piece, bits, weights, t);
  }
}

/// A row that a lane holds whole. Its weights are asked for with it: later, their way would be one
/// more wait of the CTA.
template <NormWarpSpec s>
__device__ __forceinline__ void short_row(const NormParams& p, const Row& row, int32_t lane,
                                          int32_t& turn) {
  RowBits<s> bits;
  WeightBits<s> weights{};
  load_piece<s, s.dtype>(row.x, lane, 0, bits);
  if constexpr (s.adds) {
    RowBits<s> residual;
    load_piece<s, s.dtype>(row.residual, lane, 0, residual);
    if (row.weight != nullptr) load_piece<s, s.dtype_weight>(row.weight, lane, 0, weights);
    add_piece<s>(row, lane, 0, bits, residual);
  } else {
    if (row.weight != nullptr) load_piece<s, s.dtype_weight>(row.weight, lane, 0, weights);
  }
  Statistics t{0.0f, 0.0f};
  if constexpr (s.kind == NormKind::layer) {
    t.mean = sum_over_row<s>(part_of_sum<s, true>(bits, 0.0f, lane, 0), turn) *
             (1.0f / static_cast<float>(s.hidden));
  }
  t.factor = factor_of<s>(p, sum_over_row<s>(part_of_sum<s, false>(bits, t.mean, lane, 0), turn));
  write_piece<s>(p, row, lane, 0, bits, weights, t);
}

}  // namespace norm_kernel

/// REQUIRES: spec.num_threads threads a CTA; spec.lanes of them for a row.
template <NormWarpSpec spec>
__device__ __forceinline__ void norm_rows(const NormParams& p) {
  using namespace norm_kernel;
  griddep_launch_dependents();
  const int32_t lane = static_cast<int32_t>(threadIdx.x) % spec.lanes;
  const uint32_t index = blockIdx.x * spec.rows_per_cta() + threadIdx.x / spec.lanes;
  const uint32_t warp_row = index - (threadIdx.x % 32) / spec.lanes;
  if (warp_row >= static_cast<uint32_t>(p.num_rows)) return;  // no row for the whole warp
  griddep_wait();
  const Row row = row_at<spec>(p, index);  // reads a scale
  int32_t turn = 0;
  if constexpr (spec.pieces() == 1) {
    short_row<spec>(p, row, lane, turn);
  } else {
    long_row<spec>(p, row, lane, turn);
  }
}

}  // namespace weft
