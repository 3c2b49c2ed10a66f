// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding, the arithmetic: frequencies, angles, and which elements pair up. Used
// by the rope and append operators and by attention's fused rotation; knows no tensor.
//
// A frequency is kept as a 64-bit binary fraction of a turn. position * frequency in wrapping
// integer arithmetic is then the angle modulo one turn with no argument reduction and no loss: the
// error is position * 2^-65 turns, below what the float64 definition itself resolves.
#pragma once

#include "kernels/core/base.h"
#include "kernels/core/variant.h"

namespace weft {

/// Largest rotary dim, so that a token's cos and sin fit on a stack (4 KiB).
inline constexpr int kMaxRopeDim = 1024;

/// Positions a rotation accepts: [0, 2^31).
inline constexpr int64_t kMaxRopePosition = 0x7fffffff;

inline constexpr double kTwoPi = 6.283185307179586476925286766559;

// Host and device compilers each know it without a header.
WEFT_HD double rope_power(double base, double exponent) {
#if defined(__CUDACC__)
  return pow(base, exponent);
#else
  return __builtin_pow(base, exponent);
#endif
}

/// Rotated leading elements of a head.
WEFT_HD constexpr int rope_dim(const Rope& rope, int head_dim) {
  return rope.dim == 0 ? head_dim : rope.dim;
}

/// Elements (first, second) of pair i in [0, dim / 2).
struct RopePair {
  int first, second;
};

WEFT_HD constexpr RopePair rope_pair(RopeMode mode, int dim, int i) {
  return mode == RopeMode::interleaved ? RopePair{2 * i, 2 * i + 1} : RopePair{i, i + dim / 2};
}

/// What `rope` makes of the plain frequency theta^(-2i/dim), in radians a token: divided by scale,
/// or with llama31 the Llama 3.1 blend: a wavelength shorter than old_context_len /
/// high_freq_factor is kept, a longer one than old_context_len / low_freq_factor is divided by
/// scale, between them the two mix linearly in old_context_len / wavelength.
WEFT_HD constexpr double rope_scaled(const Rope& rope, double frequency) {
  if (!rope.llama31) return frequency / rope.scale;
  const double low = rope.low_freq_factor;
  const double waves = rope.old_context_len * frequency / kTwoPi;  // in the original context
  const double keep = clamp_to((waves - low) / (rope.high_freq_factor - low), 0.0, 1.0);
  return frequency * keep + frequency / rope.scale * (1.0 - keep);
}

/// Frequency of pair i in radians a token. Double precision and a pow: for making tables, not for
/// inner loops.
WEFT_HD double rope_frequency(const Rope& rope, int dim, int i) {
  return rope_scaled(rope, rope_power(double(rope.theta), -2.0 * i / dim));
}

/// A frequency as a binary fraction of a turn: turns * 2^64 modulo 2^64. Whole turns drop out, as
/// positions are integers.
WEFT_HD constexpr uint64_t rope_turns_of(double frequency) {
  double turns = frequency / kTwoPi;
  if (turns >= 9007199254740992.0) return 0;  // 2^53: a whole number
  turns -= static_cast<double>(static_cast<int64_t>(turns));
  const double high = turns * 4294967296.0;  // exact: scaling by 2^32
  const uint32_t whole = static_cast<uint32_t>(high);
  return (uint64_t{whole} << 32) + static_cast<uint64_t>((high - whole) * 4294967296.0);
}

WEFT_HD uint64_t rope_turns(const Rope& rope, int dim, int i) {
  return rope_turns_of(rope_frequency(rope, dim, i));
}

/// Angle of pair i at `position`, in units of 2^-32 turn.
WEFT_HD constexpr uint32_t rope_angle(uint64_t turns, int64_t position) {
  return uint32_t((turns * uint64_t(position)) >> 32);
}

struct CosSin {
  float cos, sin;
};

// sin(x) = x + x^3 S(x^2), cos(x) = 1 - x^2/2 + x^4 C(x^2) on |x| <= pi/4, minimax fits of degree
// 2: the fits are off by 1.8e-9 and 1e-10, so f32 rounding is what remains. Scalars, because device
// code cannot index a host array.
inline constexpr float kRopeSin0 = -0.16666650795f;
inline constexpr float kRopeSin1 = 0.0083319839344f;
inline constexpr float kRopeSin2 = -0.00019496165209f;
inline constexpr float kRopeCos0 = 0.041666647108f;
inline constexpr float kRopeCos1 = -0.0013887377304f;
inline constexpr float kRopeCos2 = 2.4439410704e-05f;
inline constexpr float kRopeRadians = 1.4629180792671596e-09f;  // 2 pi / 2^32

/// Cosine and sine of an angle in units of 2^-32 turn: nearest quarter turn split off in integers,
/// a polynomial for the rest. Absolute error at most 1.3e-7 over all angles.
WEFT_HD CosSin rope_cos_sin(uint32_t angle) {
  const uint32_t quarter = (angle + 0x20000000u) >> 30;
  const float x = float(int32_t(angle - (quarter << 30))) * kRopeRadians;
  const float x2 = x * x;
  const float s = x + x * x2 * (kRopeSin0 + x2 * (kRopeSin1 + x2 * kRopeSin2));
  const float c = 1.0f - 0.5f * x2 + x2 * x2 * (kRopeCos0 + x2 * (kRopeCos1 + x2 * kRopeCos2));
  const float cos_abs = quarter & 1 ? s : c;
  const float sin_abs = quarter & 1 ? c : s;
  return {(quarter + 1) & 2 ? -cos_abs : cos_abs, quarter & 2 ? -sin_abs : sin_abs};
}

/// Rotates the pair (a, b) by an angle.
WEFT_HD void rope_rotate(float& a, float& b, CosSin w) {
  const float first = a * w.cos - b * w.sin;
  b = b * w.cos + a * w.sin;
  a = first;
}

}  // namespace weft
