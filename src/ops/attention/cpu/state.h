// SPDX-License-Identifier: Apache-2.0
// The algebra of states (o, m, d): o unnormalised, d relative to the base-2 reference m. A state
// with d = 0 is the identity. fold_row is the only place where two states meet, so a tile that was
// cut and one that was not give the same bits.
#pragma once

#include "src/cpu/convert.h"
#include "src/ops/attention/cpu/softmax.h"

namespace weft {
namespace {

/// The scalars of one row's state.
struct RowSums {
  float m = kNothing;
  float d = 0.0f;
};

/// (total, total_o) = itself joined with (s, o).
inline void fold_row(RowSums& total, float* total_o, const RowSums& s, const float* o, int n) {
  if (s.d == 0.0f) return;
  if (total.d == 0.0f) {
    total = s;
    for_each_vec(n, [=](int i, int k) { store_first(total_o + i, load_first(o + i, k), k); });
    return;
  }
  const float m = s.m > total.m ? s.m : total.m;
  const float a = exp2_of(total.m - m), b = exp2_of(s.m - m);
  total = {m, total.d * a + s.d * b};
  const Vec va = splat(a), vb = splat(b);
  for_each_vec(n, [=](int i, int k) {
    const Vec x = load_first(total_o + i, k) * va;
    store_first(total_o + i, mul_add(load_first(o + i, k), vb, x), k);
  });
}

/// Writes o (and lse) of one row from its final state; `o` in natural column order.
inline void finish_row(const AttentionSpec& spec, const AttentionParams& p, const Tile& t, int row,
                       RowSums s, const float* o) {
  const int64_t token = t.first_token + t.token(row);
  const int64_t head = t.qo_head(row);
  char* to = static_cast<char*>(p.o) +
             (token * p.o_stride_token + head * p.o_stride_head) * size_of(spec.dtype_o);
  float* lse =
      p.lse == nullptr ? nullptr : p.lse + token * p.lse_stride_token + head * p.lse_stride_head;
  if (s.d == 0.0f) {
    memset(to, 0, static_cast<size_t>(spec.head_dim_vo) * size_of(spec.dtype_o));
    if (lse != nullptr) *lse = kMinusInfinity;
    return;
  }
  float factor = 1.0f;
  if (p.sink != nullptr) {
    const float sink = p.sink[head] * kLog2E;
    const float m = sink > s.m ? sink : s.m;
    factor = exp2_of(s.m - m);
    s = {m, s.d * factor + exp2_of(sink - m)};
  }
  const float v_scale = p.v_scale * (p.v_scales == nullptr ? 1.0f : p.v_scales[t.kv_head]);
  narrow_row(to, o, v_scale * factor / s.d, spec.dtype_o, spec.head_dim_vo);
  constexpr float kLn2 = 0.693147180559945309417f;
  if (lse != nullptr) *lse = (s.m + __builtin_log2f(s.d)) * kLn2 * p.lse_scale;
}

}  // namespace
}  // namespace weft
