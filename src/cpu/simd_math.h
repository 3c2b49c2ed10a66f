// SPDX-License-Identifier: Apache-2.0
// exp2, log2, tanh and the rotary cosine and sine on a Vec. Per-ISA units only, like simd.h.
#pragma once

#include "kernels/core/rope.h"
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

/// log2(x) for normal x > 0, absolute error 2e-7; exactly 0 at 1; NaN stays NaN.
inline Vec log2_of(Vec x) {
  // Mantissa in [sqrt(1/2), sqrt(2)): 0x3f3504f3 is sqrt(1/2).
  const Words offset = bits_as<Words>(x) - 0x3f3504f3;
  const Ints exponent = bits_as<Ints>(offset) >> 23;
  const Vec t = bits_as<Vec>((offset & 0x7fffff) + 0x3f3504f3) - 1.0f;
  Vec p = splat(0.1255597588f);
  p = p * t - 0.2101741687f;
  p = p * t + 0.2172496331f;
  p = p * t - 0.2385360702f;
  p = p * t + 0.2876763939f;
  p = p * t - 0.3607206401f;
  p = p * t + 0.4809215279f;
  p = p * t - 0.7213471329f;
  p = p * t + 1.442694883f;
  const Vec y = __builtin_convertvector(exponent, Vec) + p * t;
  return x == x ? y : x;
}

struct CosSinVec {
  Vec cos, sin;
};

/// rope_cos_sin of kernels/core/rope.h, lane by lane.
inline CosSinVec cos_sin_of(Words angle) {
  const Words quarter = (angle + 0x20000000u) >> 30;
  const Vec x = __builtin_convertvector(bits_as<Ints>(angle - (quarter << 30)), Vec) * kRopeRadians;
  const Vec x2 = x * x;
  const Vec s = x + x * x2 * (kRopeSin0 + x2 * (kRopeSin1 + x2 * kRopeSin2));
  const Vec c = 1.0f - 0.5f * x2 + x2 * x2 * (kRopeCos0 + x2 * (kRopeCos1 + x2 * kRopeCos2));
  const Vec cos_abs = (quarter & 1) != 0 ? s : c;
  const Vec sin_abs = (quarter & 1) != 0 ? c : s;
  const Words cos_sign = ((quarter + 1) & 2) << 30;
  const Words sin_sign = (quarter & 2) << 30;
  return {bits_as<Vec>(bits_as<Words>(cos_abs) ^ cos_sign),
          bits_as<Vec>(bits_as<Words>(sin_abs) ^ sin_sign)};
}

}  // namespace
}  // namespace weft
