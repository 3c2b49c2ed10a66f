// SPDX-License-Identifier: Apache-2.0
// Decoding and encoding straight from the definition of a binary format: sign, exponent, mantissa.
// Knows no instruction set and no library function for conversion.
#include "tests/oracle/numbers.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace weft::oracle {
namespace {

/// A binary floating-point format. IEEE formats keep the top exponent for infinities and NaN; OCP
/// e4m3 gives only its very last code to NaN and has no infinity.
struct Format {
  int exponent_bits;
  int mantissa_bits;
  bool ieee;       // top exponent means infinity or NaN
  bool saturates;  // on encode

  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  int top() const { return (1 << exponent_bits) - 1; }
  double largest() const {
    if (!ieee) return 448.0;
    return std::ldexp(2.0 - std::ldexp(1.0, -mantissa_bits), top() - 1 - bias());
  }
};

Format format_of(DType dtype) {
  switch (dtype) {
    case DType::f16:
      return {5, 10, true, false};
    case DType::bf16:
      return {8, 7, true, false};
    case DType::e4m3:
      return {4, 3, false, true};
    case DType::e5m2:
      return {5, 2, true, true};
    default:
      return {8, 23, true, false};  // f32
  }
}

double decode_bits(const Format& f, uint32_t bits) {
  const uint32_t mantissa = bits & ((1u << f.mantissa_bits) - 1);
  const int exponent = static_cast<int>(bits >> f.mantissa_bits) & f.top();
  const double sign = (bits >> (f.mantissa_bits + f.exponent_bits)) & 1 ? -1.0 : 1.0;
  const double fraction = std::ldexp(static_cast<double>(mantissa), -f.mantissa_bits);
  if (f.ieee && exponent == f.top()) {
    return mantissa == 0 ? sign * std::numeric_limits<double>::infinity()
                         : std::numeric_limits<double>::quiet_NaN();
  }
  if (!f.ieee && exponent == f.top() && mantissa == (1u << f.mantissa_bits) - 1) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - f.bias());
  return sign * std::ldexp(1.0 + fraction, exponent - f.bias());
}

/// Nearest multiple of the spacing at |value|; std::nearbyint rounds ties to even.
double round_to(const Format& f, double value) {
  if (value == 0.0 || !std::isfinite(value)) return value;
  int exponent = 0;
  std::frexp(value, &exponent);  // |value| in [2^(exponent-1), 2^exponent)
  const int least = 1 - f.bias();
  const int ulp = (exponent - 1 < least ? least : exponent - 1) - f.mantissa_bits;
  return std::ldexp(std::nearbyint(std::ldexp(value, -ulp)), ulp);
}

uint32_t encode_bits(const Format& f, double value) {
  const uint32_t sign = std::signbit(value) ? 1u << (f.mantissa_bits + f.exponent_bits) : 0u;
  const uint32_t infinity = static_cast<uint32_t>(f.top()) << f.mantissa_bits;
  if (std::isnan(value)) return f.ieee ? infinity | (1u << (f.mantissa_bits - 1)) : 0x7fu;
  double magnitude = std::fabs(round_to(f, value));
  if (magnitude > f.largest()) {
    if (!f.saturates) return sign | infinity;
    magnitude = f.largest();
  }
  if (magnitude == 0.0) return sign;
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  const int biased = exponent - 1 + f.bias();
  if (biased <= 0) {  // subnormal
    return sign | static_cast<uint32_t>(std::ldexp(magnitude, f.bias() - 1 + f.mantissa_bits));
  }
  const double fraction = std::ldexp(magnitude, 1 - exponent) - 1.0;
  return sign | static_cast<uint32_t>(biased) << f.mantissa_bits |
         static_cast<uint32_t>(std::ldexp(fraction, f.mantissa_bits));
}

}  // namespace

int bytes_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f16:
    case DType::bf16:
      return 2;
    case DType::i64:
      return 8;
    case DType::none:
      return 0;
    default:
      return 1;
  }
}

double decode(const void* data, DType dtype, int64_t index) {
  const char* at = static_cast<const char*>(data) + index * bytes_of(dtype);
  if (dtype == DType::f32) {
    float value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  uint32_t bits = 0;
  std::memcpy(&bits, at, static_cast<size_t>(bytes_of(dtype)));  // little-endian
  return decode_bits(format_of(dtype), bits);
}

void encode(void* data, DType dtype, int64_t index, double value) {
  const uint32_t bits = encode_bits(format_of(dtype), value);
  std::memcpy(static_cast<char*>(data) + index * bytes_of(dtype), &bits,
              static_cast<size_t>(bytes_of(dtype)));
}

double rounded(DType dtype, double value) {
  uint32_t bits = 0;
  encode(&bits, dtype, 0, value);
  return decode(&bits, dtype, 0);
}

double unit_roundoff(DType dtype) { return std::ldexp(1.0, -1 - format_of(dtype).mantissa_bits); }

double smallest(DType dtype) {
  const Format f = format_of(dtype);
  return std::ldexp(1.0, 1 - f.bias() - f.mantissa_bits);
}

char* address(const TensorView& tensor, std::initializer_list<int64_t> index) {
  int64_t offset = 0;
  size_t dim = 0;
  for (const int64_t i : index) offset += i * tensor.strides[dim++];
  return static_cast<char*>(tensor.data) + offset * bytes_of(tensor.dtype);
}

double at(const TensorView& tensor, std::initializer_list<int64_t> index) {
  return decode(address(tensor, index), tensor.dtype, 0);
}

int64_t int_at(const TensorView& tensor, int64_t index) {
  const char* from = address(tensor, {index});
  if (tensor.dtype == DType::i64) {
    int64_t value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  int32_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace weft::oracle
