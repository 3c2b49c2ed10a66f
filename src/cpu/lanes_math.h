// SPDX-License-Identifier: Apache-2.0
// exp2, log2 and the rotary cosine and sine on lanes. Included only by per-ISA units, like lanes.h.
#pragma once

#include "kernels/core/rope.h"
#include "src/cpu/lanes.h"

namespace weft {
namespace {

/// 2^x for x <= 0, relative error 1e-7; exactly 1 at 0; 0 below -126; NaN stays NaN.
inline F32 exp2_lanes(F32 x) {
  const F32 inside = x < -126.0f ? splat(-126.0f) : x;
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  const F32 shifted = inside + 0x1.8p23f;
  const F32 t = inside - (shifted - 0x1.8p23f);
  F32 p = splat(0.0001534581216f);
  p = p * t + 0.001339993121f;
  p = p * t + 0.009618488957f;
  p = p * t + 0.05550328777f;
  p = p * t + 0.2402264689f;
  p = p * t + 0.6931472057f;
  p = p * t + 1.0f;
  const F32 power = bits_as<F32>((bits_as<U32>(shifted) + 127u) << 23);
  return x < -126.0f ? F32{} : p * power;
}

/// log2(x) for normal x > 0, absolute error 2e-7; exactly 0 at 1; NaN stays NaN.
inline F32 log2_lanes(F32 x) {
  // Mantissa in [sqrt(1/2), sqrt(2)): 0x3f3504f3 is sqrt(1/2).
  const U32 offset = bits_as<U32>(x) - 0x3f3504f3;
  const I32 exponent = bits_as<I32>(offset) >> 23;
  const F32 t = bits_as<F32>((offset & 0x7fffff) + 0x3f3504f3) - 1.0f;
  F32 p = splat(0.1255597588f);
  p = p * t - 0.2101741687f;
  p = p * t + 0.2172496331f;
  p = p * t - 0.2385360702f;
  p = p * t + 0.2876763939f;
  p = p * t - 0.3607206401f;
  p = p * t + 0.4809215279f;
  p = p * t - 0.7213471329f;
  p = p * t + 1.442694883f;
  const F32 y = __builtin_convertvector(exponent, F32) + p * t;
  return x == x ? y : x;
}

struct CosSinLanes {
  F32 cos, sin;
};

/// rope_cos_sin of kernels/core/rope.h, lane by lane.
inline CosSinLanes cos_sin_lanes(U32 angle) {
  const U32 quarter = (angle + 0x20000000u) >> 30;
  const F32 x = __builtin_convertvector(bits_as<I32>(angle - (quarter << 30)), F32) * kRopeRadians;
  const F32 x2 = x * x;
  const F32 s = x + x * x2 * (kRopeSin0 + x2 * (kRopeSin1 + x2 * kRopeSin2));
  const F32 c = 1.0f - 0.5f * x2 + x2 * x2 * (kRopeCos0 + x2 * (kRopeCos1 + x2 * kRopeCos2));
  const F32 cos_abs = (quarter & 1) != 0 ? s : c;
  const F32 sin_abs = (quarter & 1) != 0 ? c : s;
  const U32 cos_sign = ((quarter + 1) & 2) << 30;
  const U32 sin_sign = (quarter & 2) << 30;
  return {bits_as<F32>(bits_as<U32>(cos_abs) ^ cos_sign),
          bits_as<F32>(bits_as<U32>(sin_abs) ^ sin_sign)};
}

}  // namespace
}  // namespace weft
