// SPDX-License-Identifier: Apache-2.0
// The numbers behind silu and gelu, shared by the CPU's vectors and the GPU's threads. Each form is
// x times a logistic or a normal distribution function; knows no tensor.
#pragma once

#include "kernels/core/base.h"

namespace weft {

inline constexpr float kLog2OfE = 1.44269504088896340736f;

/// gelu_tanh(x) = x / (1 + 2^(x * (kGeluLinear + kGeluCubic * x^2))): 1 + tanh(u) is
/// 2 / (1 + e^-2u) with u = sqrt(2 / pi) * (x + 0.044715 x^3).
inline constexpr float kGeluLinear = -2.0f * 0.79788456080286535588f * kLog2OfE;
inline constexpr float kGeluCubic = kGeluLinear * 0.044715f;

/// e^(z^2) erfc(z) = t * (sum of kErfc[i] t^i), t = 1 / (1 + kErfcScale * z), for 0 <= z <= 14, of
/// relative error 6.4e-8: an interpolation of degree 8 at the zeros of a Chebyshev polynomial, with
/// the scale that made its error least. Beyond 14 erfc is less than 1e-86. Scalars, because device
/// code cannot index a host array.
inline constexpr float kErfcScale = 0.38f;
inline constexpr float kErfc0 = 0.2144141213f;
inline constexpr float kErfc1 = 0.2138577476f;
inline constexpr float kErfc2 = 0.2044029788f;
inline constexpr float kErfc3 = 0.1364940152f;
inline constexpr float kErfc4 = 0.2355570783f;
inline constexpr float kErfc5 = -0.1700809964f;
inline constexpr float kErfc6 = 0.3718710673f;
inline constexpr float kErfc7 = -0.2663561108f;
inline constexpr float kErfc8 = 0.0598401237f;

/// t times the polynomial, for a float or a vector of them.
template <class T>
WEFT_HD T erfc_polynomial(T t) {
  T p = t * kErfc8 + kErfc7;
  p = p * t + kErfc6;
  p = p * t + kErfc5;
  p = p * t + kErfc4;
  p = p * t + kErfc3;
  p = p * t + kErfc2;
  p = p * t + kErfc1;
  p = p * t + kErfc0;
  return p * t;
}

inline constexpr float kSqrtHalf = 0.70710678118654752440f;

}  // namespace weft
