// SPDX-License-Identifier: Apache-2.0
// See elements.h.
#include "tools/weft/elements.h"

#include <bit>
#include <cmath>

#include "weft/error.h"

namespace weft::cli {
namespace {

double from_f16(uint16_t half) {
  const int exponent = half >> 10 & 31;
  const double fraction = half & 1023;
  double magnitude = std::ldexp(fraction, -24);
  if (exponent == 31) magnitude = fraction == 0 ? HUGE_VAL : std::nan("");
  if (exponent > 0 && exponent < 31) magnitude = std::ldexp(fraction + 1024, exponent - 25);
  return half & 0x8000 ? -magnitude : magnitude;
}

uint16_t to_f16(float value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  if (value == 0) return sign;
  int exponent = 0;
  std::frexp(value, &exponent);
  // Spacing 2^(exponent - 11) for normal numbers, 2^-24 below them.
  const int place = std::max(exponent - 11, -24);
  const auto units = static_cast<uint32_t>(std::nearbyint(std::ldexp(std::abs(value), -place)));
  // 2^11 units of a binade carry over into the exponent by themselves.
  const uint32_t biased = place == -24 ? 0 : static_cast<uint32_t>(place + 24) << 10;
  return static_cast<uint16_t>(sign | (biased + units));
}

uint16_t to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}  // namespace

double read_element(const void* data, DType dtype, int64_t index) {
  if (dtype == DType::f32) return static_cast<const float*>(data)[index];
  const uint16_t half = static_cast<const uint16_t*>(data)[index];
  if (dtype == DType::f16) return from_f16(half);
  return std::bit_cast<float>(static_cast<uint32_t>(half) << 16);
}

void write_element(void* data, DType dtype, int64_t index, float value) {
  if (dtype == DType::f32) {
    static_cast<float*>(data)[index] = value;
  } else {
    static_cast<uint16_t*>(data)[index] = dtype == DType::f16 ? to_f16(value) : to_bf16(value);
  }
}

}  // namespace weft::cli
