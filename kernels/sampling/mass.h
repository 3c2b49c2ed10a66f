// SPDX-License-Identifier: Apache-2.0
// The arithmetic of sampling: a token's logit to an integer mass, order keys, thresholds and draws.
// Masses are integers, so their sums depend on no order, and every operation rounds where it
// stands: any device, any split of a row and any instruction set come to the same bits.
#pragma once

#include "kernels/core/exact.h"
#include "kernels/core/philox.h"

namespace weft {

/// The largest logit of a row has mass 2^kMassBits; what is more than as many powers of two below
/// has none. Sums of 2^20 masses fit 57 bits.
inline constexpr int kMassBits = 36;
inline constexpr int kMaxVocab = 1 << 20;
inline constexpr float kMaxTemperature = 1e9f;
inline constexpr float kLargest = 3.402823466e38f;
inline constexpr float kLog2E = 1.44269504088896340736f;
inline constexpr float kLn2 = 0.69314718055994530942f;

/// Integers in the order of floats. REQUIRES: z is not NaN and not -0.
WEFT_HD uint32_t key_of(float z) {
  const uint32_t bits = bits_of(z);
  return bits ^ (static_cast<uint32_t>(static_cast<int32_t>(bits) >> 31) | 0x80000000u);
}
WEFT_HD float value_of(uint32_t key) { return float_of(key >> 31 != 0 ? key ^ 0x80000000u : ~key); }
/// A value of a row and where it stands, in the order in which they are kept and reported: by
/// value, equal ones by position, the lower first. Larger is better.
WEFT_HD uint64_t entry_of(uint32_t key, int32_t position) {
  return uint64_t{key} << 32 | ~static_cast<uint32_t>(position);
}
WEFT_HD int32_t position_of(uint64_t entry) {
  return static_cast<int32_t>(~static_cast<uint32_t>(entry));
}

/// Of -infinity: what is masked. Nothing that may be drawn has a key this small.
inline constexpr uint32_t kMaskedKey = 0x007fffffu;

/// What turns values of a row into masses: exp((z - top) / temperature), or z itself where the
/// input is probabilities (rate 0).
struct MassScale {
  float top;    // the largest value
  float rate;   // log2(e) / temperature
  float least;  // of z - top: below it the mass is 0

  WEFT_HD static MassScale of_logits(float top, float temperature) {
    const float rate = min_of(quotient(kLog2E, temperature), kLargest);
    return {top, rate, quotient(-60.0f, rate)};
  }
  WEFT_HD static MassScale of_probs(float top) { return {top, 0.0f, 0.0f}; }
  WEFT_HD bool linear() const { return rate == 0.0f; }
};

/// 2^y as mantissa and exponent for y = d * rate.
struct Power {
  float mantissa;  // 2 + 2^(y - n), in [2.7, 3.5]
  int32_t fall;    // -n
};

inline constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23: a sum with it is rounded to integers
inline constexpr uint32_t kRounderBits = 0x4b400000u;
// 2^f on [-1/2, 1/2], minimax in relative error with a constant term of 1: 1.1e-7 off.
inline constexpr float kExp2[5] = {0.6931470037f, 0.2402224243f, 0.05550733581f, 0.009671512991f,
                                   0.001326472731f};

/// REQUIRES: least <= d <= 0.
WEFT_HD Power power_of(float d, float rate) {
  const float r = fused(d, rate, kRounder);
  const float f = fused(d, rate, -plus(r, -kRounder));
  float g = fused(kExp2[4], f, kExp2[3]);
  g = fused(g, f, kExp2[2]);
  g = fused(g, f, kExp2[1]);
  g = fused(g, f, kExp2[0]);
  return {fused(g, f, 3.0f), static_cast<int32_t>(kRounderBits - bits_of(r))};
}

/// Of a probability: its bits, aligned with those of the largest one. REQUIRES: 0 <= z <= top.
WEFT_HD uint64_t linear_mass(float z, float top) {
  const uint32_t bits = bits_of(z), exponent = bits >> 23;
  const uint32_t significand = exponent == 0 ? bits : (bits & 0x7fffffu) | 0x800000u;
  const uint32_t fall = max_of(1u, bits_of(top) >> 23) - max_of(1u, exponent);
  return (uint64_t{significand} << (kMassBits - 23)) >> min_of(fall, 63u);
}

/// REQUIRES: z <= scale.top, and neither is NaN or +infinity.
template <bool linear>
WEFT_HD uint64_t mass_of(float z, const MassScale& scale) {
  if constexpr (linear) return linear_mass(z, scale.top);
  const Power p = power_of(max_of(plus(z, -scale.top), scale.least), scale.rate);
  return uint64_t{bits_of(p.mantissa) << 9} << (kMassBits - 31) >> p.fall;
}

WEFT_HD uint64_t mass_of(float z, const MassScale& scale) {
  return scale.linear() ? mass_of<true>(z, scale) : mass_of<false>(z, scale);
}

/// log2 of a positive integer, absolute error 3e-7.
WEFT_HD float log2_of(uint64_t x) {
  int32_t exponent = 63;
  while ((x >> 63) == 0) x <<= 1, --exponent;
  // The upper 24 bits as a number in [1, 2); halved above sqrt(2).
  uint32_t bits = 0x3f800000u | (static_cast<uint32_t>(x >> 40) & 0x7fffffu);
  if (bits > 0x3fb504f3u) bits -= 0x800000u, ++exponent;
  const float t = plus(float_of(bits), -1.0f);
  float p = 0.1255597588f;
  p = fused(p, t, -0.2101741687f);
  p = fused(p, t, 0.2172496331f);
  p = fused(p, t, -0.2385360702f);
  p = fused(p, t, 0.2876763939f);
  p = fused(p, t, -0.3607206401f);
  p = fused(p, t, 0.4809215279f);
  p = fused(p, t, -0.7213471329f);
  p = fused(p, t, 1.442694883f);
  return fused(p, t, static_cast<float>(exponent));
}

/// Natural log of the share that a token of value z has of `total`.
WEFT_HD float log_share(float z, const MassScale& scale, uint64_t total) {
  const float all = plus(log2_of(total), -static_cast<float>(kMassBits));
  if (!scale.linear()) {
    return times(plus(times(plus(z, -scale.top), scale.rate), -all), kLn2);
  }
  const uint64_t mass = linear_mass(z, scale.top);
  return times(plus(plus(log2_of(mass == 0 ? 1 : mass), -static_cast<float>(kMassBits)), -all),
               kLn2);
}

/// The least mass that is a share `p` of `total`: ceil(p * total), p in units of 2^-32.
/// REQUIRES: 0 <= p < 1, total < 2^60.
WEFT_HD uint64_t share_of_mass(float p, uint64_t total) {
  const uint64_t units = static_cast<uint64_t>(times(p, 4294967296.0f));
  const uint64_t low = (total & 0xffffffffu) * units;
  const uint64_t share = (total >> 32) * units + (low >> 32) + ((low & 0xffffffffu) != 0 ? 1 : 0);
  return max_of(share, uint64_t{1});
}

/// A number in [0, total), uniform to 2^-27 of its share.
WEFT_HD uint64_t draw_below(uint64_t total, uint64_t random) { return high_product(random, total); }

/// What turns a value into its share of `total` as f32, for distributions that are written out.
struct ShareScale {
  float unit, inverse;

  WEFT_HD static ShareScale of(const MassScale& scale, uint64_t total) {
    const uint32_t exponent = max_of(1u, bits_of(scale.top) >> 23);
    const uint32_t unit = exponent >= 254 ? 0x00400000u : (254 - exponent) << 23;
    return {float_of(unit), quotient(68719476736.0f, static_cast<float>(total))};
  }
};
static_assert(kMassBits == 36, "68719476736 is 2^36");

/// Relative error 3e-7; 0 below 2^-60 of the largest.
WEFT_HD float share_of(float z, const MassScale& scale, const ShareScale& share) {
  if (scale.linear()) return times(times(z, share.unit), share.inverse);
  const float d = plus(z, -scale.top);
  if (d < scale.least) return 0.0f;
  const Power p = power_of(d, scale.rate);
  const float power = float_of(static_cast<uint32_t>(127 - p.fall) << 23);
  return times(times(plus(p.mantissa, -2.0f), power), share.inverse);
}

/// What is kept of a row: every token above `key`, and of those at it the `ties` lowest ids.
struct Cut {
  uint32_t key = kMaskedKey;
  uint32_t ties = 0;
};

/// The key below which min-p leaves a token out.
WEFT_HD uint32_t min_p_key(float min_p, const MassScale& scale) {
  if (!(min_p > 0.0f)) return kMaskedKey + 1;
  if (scale.linear()) return key_of(plus(times(scale.top, min_p), 0.0f));
  // log2(min_p) from its own bits: exponent and significand.
  const uint32_t bits = bits_of(times(min_p, 16777216.0f));  // subnormals too
  const uint64_t significand = uint64_t{(bits & 0x7fffffu) | 0x800000u};
  const float log2_p =
      plus(log2_of(significand), static_cast<float>(static_cast<int32_t>(bits >> 23) - 174));
  return max_of(kMaskedKey + 1, key_of(plus(plus(scale.top, quotient(log2_p, scale.rate)), 0.0f)));
}

}  // namespace weft
