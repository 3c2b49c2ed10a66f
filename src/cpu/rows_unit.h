// SPDX-License-Identifier: Apache-2.0
// The body of the row kernels, compiled once per ISA by rows_<isa>.cc. Anonymous namespace, no
// standard containers: see simd.h.
#pragma once

#include <type_traits>

#include "src/cpu/elements.h"
#include "src/cpu/rows.h"
#include "src/cpu/simd_math.h"

namespace weft {
namespace {

template <class In, class Out>
inline void convert(const In* in, Out* out, int n, float scale) {
  int i = 0;
  for (; i + kWidth <= n; i += kWidth) store(out + i, load(in + i) * scale);
  if (i < n) store_n(out + i, load_n(in + i, n - i) * scale, n - i);
}

// Both halves are read before either is written, so that `out` may be `in`.
template <class In, class Out>
inline void rotate_neox(const In* in, Out* out, int dim, Rotation w, float scale) {
  const int half = dim / 2;
  int i = 0;
  for (; i + kWidth <= half; i += kWidth) {
    const Vec a = load(in + i), b = load(in + half + i);
    const Vec c = load(w.cos + i), s = load(w.sin + i);
    store(out + i, (a * c - b * s) * scale);
    store(out + half + i, (b * c + a * s) * scale);
  }
  if (i == half) return;
  const int n = half - i;
  const Vec a = load_n(in + i, n), b = load_n(in + half + i, n);
  const Vec c = load_n(w.cos + i, n), s = load_n(w.sin + i, n);
  store_n(out + i, (a * c - b * s) * scale, n);
  store_n(out + half + i, (b * c + a * s) * scale, n);
}

template <class In, class Out>
inline void rotate_interleaved(const In* in, Out* out, int dim, Rotation w, float scale) {
  int i = 0;
  for (; i + kWidth <= dim; i += kWidth) {
    const Vec x = load(in + i);
    store(out + i, (x * load(w.cos + i) + swap_neighbours(x) * load(w.sin + i)) * scale);
  }
  if (i == dim) return;
  const int n = dim - i;
  const Vec x = load_n(in + i, n);
  const Vec c = load_n(w.cos + i, n), s = load_n(w.sin + i, n);
  store_n(out + i, (x * c + swap_neighbours(x) * s) * scale, n);
}

/// A head as f32, RMS-normalised.
template <class In>
inline void normalise_head(const In* in, const RowNorm& norm, int n, float* to) {
  const In* weight = static_cast<const In*>(norm.weight);
  Vec sums = {};
  for_each_vec_of(in, n, [&](int i, Vec x, int lanes) {
    store_lanes(to + i, x, lanes);
    sums += x * x;  // lanes beyond the last are zeros
  });
  const float mean = reduce_add(sums) / static_cast<float>(n);
  const float factor = 1.0f / __builtin_sqrtf(mean + norm.eps);
  for_each_vec_of(weight, n, [=](int i, Vec w, int lanes) {
    store_lanes(to + i, load_lanes(to + i, lanes) * factor * (w + norm.weight_offset), lanes);
  });
}

template <RopeMode mode, class In, class Out>
inline void rotate_head(const In* in, Out* out, int dim, Rotation w, float scale) {
  if constexpr (mode == RopeMode::neox) rotate_neox(in, out, dim, w, scale);
  if constexpr (mode == RopeMode::interleaved) rotate_interleaved(in, out, dim, w, scale);
}

template <class In, class Out, RopeMode mode>
void row_kernel(const RowHeads& row) {
  const char* in_bytes = static_cast<const char*>(row.in);
  char* out_bytes = static_cast<char*>(row.out);
  const int dim = mode == RopeMode::none ? 0 : row.rotated_dim;
  const int rest = row.head_dim - dim;
  for (int h = 0; h < row.num_heads; ++h) {
    const In* in = reinterpret_cast<const In*>(in_bytes + h * row.in_stride);
    Out* out = reinterpret_cast<Out*>(out_bytes + h * row.out_stride);
    prefetch_beyond(in, row.head_dim * int64_t{sizeof(In)});
    if (row.in != row.out) prefetch_beyond(out, row.head_dim * int64_t{sizeof(Out)});
    const float scale = row.scales == nullptr ? row.scale : row.scale / row.scales[h];
    if (row.norm != nullptr) {
      float head[kMaxNormedHead];
      normalise_head(in, *row.norm, row.head_dim, head);
      rotate_head<mode>(head, out, dim, row.rotation, scale);
      convert(head + dim, out + dim, rest, scale);
      continue;
    }
    rotate_head<mode>(in, out, dim, row.rotation, scale);
    if constexpr (std::is_same_v<In, Out>) {
      // The same type and no scale: the bits themselves, NaN payloads included.
      if (scale == 1.0f) {
        if (rest > 0 && row.in != row.out) {
          memcpy(out + dim, in + dim, static_cast<size_t>(rest) * sizeof(In));
        }
        continue;
      }
    }
    convert(in + dim, out + dim, rest, scale);
  }
}

void interleave(const float* cos_sin, int dim, float* cos, float* sin) {
  const int half = dim / 2;
  for (int i = 0; i < half; ++i) {
    cos[2 * i] = cos[2 * i + 1] = cos_sin[i];
    sin[2 * i + 1] = cos_sin[half + i];
    sin[2 * i] = -cos_sin[half + i];
  }
}

// Whole registers: all four arrays have kWidth elements to spare.
inline void cos_sin_block(const uint32_t* angles, int n, float* cos, float* sin) {
  for (int i = 0; i < n; i += kWidth) {
    Words angle;
    memcpy(&angle, angles + i, sizeof(angle));
    const CosSinVec w = cos_sin_of(angle);
    store(cos + i, w.cos);
    store(sin + i, w.sin);
  }
}

void cos_sin(RopeMode mode, const uint64_t* turns, int dim, int64_t position, float* cos,
             float* sin) {
  const int half = dim / 2;
  uint32_t angles[kMaxRopeDim / 2 + kWidth];
  for (int i = 0; i < half; ++i) angles[i] = rope_angle(turns[i], position);
  for (int i = half; i % kWidth != 0; ++i) angles[i] = 0;
  if (mode == RopeMode::neox) return cos_sin_block(angles, half, cos, sin);
  float both[kMaxRopeDim + kWidth];
  // The sines last: they overwrite what the cosines store beyond `half`.
  float sines[kMaxRopeDim / 2 + kWidth];
  cos_sin_block(angles, half, both, sines);
  memcpy(both + half, sines, static_cast<size_t>(half) * sizeof(float));
  interleave(both, dim, cos, sin);
}

template <class In, class Out>
constexpr void fill(RowKernel (&modes)[3]) {
  modes[0] = row_kernel<In, Out, RopeMode::none>;
  modes[1] = row_kernel<In, Out, RopeMode::neox>;
  modes[2] = row_kernel<In, Out, RopeMode::interleaved>;
}

template <class In>
constexpr void fill(RowKernel (&outs)[5][3]) {
  fill<In, float>(outs[0]);
  fill<In, F16>(outs[1]);
  fill<In, Bf16>(outs[2]);
  fill<In, E4m3>(outs[3]);
  fill<In, E5m2>(outs[4]);
}

constexpr RowTable make_table() {
  RowTable table = {cos_sin, interleave, {}};
  fill<float>(table.kernels[0]);
  fill<F16>(table.kernels[1]);
  fill<Bf16>(table.kernels[2]);
  return table;
}

}  // namespace
}  // namespace weft
