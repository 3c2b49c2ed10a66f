// SPDX-License-Identifier: Apache-2.0
// kernels/ptx/convert.cuh on the host.
#pragma once

#include "kernels/core/dtype.h"
#include "tests/oracle/numbers.h"
#include "tests/simt/simt.h"

namespace weft {

template <DType dtype>
uint16_t narrow(float x) {
  uint16_t bits;
  oracle::encode(reinterpret_cast<char*>(&bits), dtype, 0, x);
  return bits;
}
template <DType dtype>
float widen(uint16_t bits) {
  if constexpr (dtype == DType::bf16) {
    return __uint_as_float(uint32_t{bits} << 16);
  } else {
    return static_cast<float>(oracle::decode(reinterpret_cast<const char*>(&bits), dtype, 0));
  }
}
template <DType dtype>
uint32_t pack2(float low, float high) {
  return narrow<dtype>(low) | uint32_t{narrow<dtype>(high)} << 16;
}
template <DType dtype>
void unpack2(uint32_t word, float& low, float& high) {
  low = widen<dtype>(static_cast<uint16_t>(word));
  high = widen<dtype>(static_cast<uint16_t>(word >> 16));
}
inline uint16_t alternate_bytes(uint32_t word, int32_t first) {
  word >>= 8 * first;
  return static_cast<uint16_t>((word & 0xff) | (word >> 8 & 0xff00));
}
template <DType from, DType to>
uint32_t widen_fp8(uint16_t pair) {
  const double low = oracle::decode(&pair, from, 0), high = oracle::decode(&pair, from, 1);
  return pack2<to>(static_cast<float>(low), static_cast<float>(high));
}
inline float exp2_approx(float x) { return std::exp2(x); }
inline float log2_approx(float x) { return std::log2(x); }
inline float rsqrt_approx(float x) { return 1.0f / std::sqrt(x); }
inline float rcp_approx(float x) { return 1.0f / x; }
inline float tanh_approx(float x) { return std::tanh(x); }
inline float sin_approx(float x) { return std::sin(x); }
inline float cos_approx(float x) { return std::cos(x); }

}  // namespace weft
