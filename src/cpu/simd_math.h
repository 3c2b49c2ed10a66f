// SPDX-License-Identifier: Apache-2.0
// exp2 and tanh on a Vec. Per-ISA units only, like simd.h.
#pragma once

#include "src/cpu/simd.h"

namespace weft {
namespace {

/// 2^x for x < 127, relative error 2e-7; exactly 1 at 0; exactly 0 at -infinity; NaN stays NaN.
inline Vec exp2_of(Vec x) {
  // Minimax in relative error on [0, 1) with a constant term of 1: 8e-8 off.
  const Vec f = fraction(x);
  Vec p = mul_add(splat(0.001867130072f), f, splat(0.009017030316f));
  p = mul_add(p, f, splat(0.05579991311f));
  p = mul_add(p, f, splat(0.2401644502f));
  p = mul_add(p, f, splat(0.6931513118f));
  p = mul_add(p, f, splat(1.0f));
  return scale_by_pow2(p, x);
}

inline float exp2_of(float x) {
  float lanes[kWidth];
  store(lanes, exp2_of(splat(x)));
  return lanes[0];
}

/// Relative error 3e-7 over all of f32.
inline Vec tanh_of(Vec x) {
  const Vec a = abs_each(x);
  // Near 0 the quotient below would cancel: an odd polynomial up to 0.625.
  const Vec a2 = a * a;
  Vec p = mul_add(splat(-0.00569738387f), a2, splat(0.02063254614f));
  p = mul_add(p, a2, splat(-0.05373779795f));
  p = mul_add(p, a2, splat(0.1333142038f));
  p = mul_add(p, a2, splat(-0.3333328118f));
  const Vec small = mul_add(p * a2, a, a);
  const Vec t = exp2_of(a * splat(-2.88539008177792681f));  // e^-2a
  const Vec large = (splat(1.0f) - t) / (splat(1.0f) + t);
  return copy_sign(select_less(a, splat(0.625f), small, large), x);
}

}  // namespace
}  // namespace weft
