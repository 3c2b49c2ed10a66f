// SPDX-License-Identifier: Apache-2.0
// RoPE fused into the loading of q and k: one row in f32, in place. Arithmetic of
// kernels/core/rope.h, a table of frequencies per run.
#pragma once

#include "kernels/core/rope.h"
#include "src/ops/attention/cpu/tile.h"

namespace weft {
namespace {

inline void fill_turns(const Rope& rope, int head_dim, uint64_t* turns) {
  const int dim = rope_dim(rope, head_dim);
  for (int i = 0; i < dim / 2; ++i) turns[i] = rope_turns(rope, dim, i);
}

/// Rotates x as the row of position `position`. `cos_sin`: room for `dim` floats.
inline void rotate_row(const Rope& rope, int head_dim, const uint64_t* turns, int64_t position,
                       float* cos_sin, float* x) {
  const int dim = rope_dim(rope, head_dim), half = dim / 2;
  float* c = cos_sin;
  float* s = cos_sin + half;
  for (int i = 0; i < half; ++i) {
    const CosSin w = rope_cos_sin(rope_angle(turns[i], position));
    c[i] = w.cos;
    s[i] = w.sin;
  }
  const bool interleaved = rope.mode == RopeMode::interleaved;
  float* a = x;
  float* b = interleaved ? x + 1 : x + half;
  const int step = interleaved ? 2 : 1;
  for (int i = 0; i < half; ++i) rope_rotate(a[i * step], b[i * step], {c[i], s[i]});
}

}  // namespace
}  // namespace weft
