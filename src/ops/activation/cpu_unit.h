// SPDX-License-Identifier: Apache-2.0
// The body of the activation kernels, compiled once per ISA by cpu_<isa>.cc. Anonymous namespace,
// no standard containers: simd.h.
#pragma once

#include "kernels/core/activation.h"
#include "src/cpu/elements.h"
#include "src/cpu/simd_math.h"
#include "src/ops/activation/unit.h"

namespace weft {
namespace {

// exp2_of takes exponents below 127; beyond, a logistic is below 2^-126.
constexpr float kMostExponent = 126.0f;

/// x / (1 + 2^a).
inline Vec logistic(Vec x, Vec a) {
  const Vec most = splat(kMostExponent);
  return x / (1.0f + exp2_of(select_less(most, a, most, a)));
}

template <ActivationKind kind>
inline Vec activate(Vec x) {
  if constexpr (kind == ActivationKind::silu) return logistic(x, x * -kLog2OfE);
  if constexpr (kind == ActivationKind::gelu_tanh) {
    return logistic(x, x * (kGeluCubic * x * x + kGeluLinear));
  }
  const Vec z = abs_each(x) * kSqrtHalf;
  const Vec tail =
      exp2_of(z * z * -kLog2OfE) * erfc_polynomial<Vec>(1.0f / (1.0f + kErfcScale * z)) * 0.5f;
  return x * select_less(x, splat(0.0f), tail, 1.0f - tail);
}

template <ActivationKind kind, class In, class Out>
void activate_row(const ActivationRow& row) {
  const In* up = static_cast<const In*>(row.up);
  Out* out = static_cast<Out*>(row.out);
  const Vec scale = splat(row.scale);
  for_each_vec_of(static_cast<const In*>(row.gate), row.count, [=](int i, Vec gate, int n) {
    prefetch_beyond(up + i, kWidth * int64_t{sizeof(In)});
    store_lanes(out + i, activate<kind>(gate) * load_lanes(up + i, n) * scale, n);
  });
}

template <ActivationKind kind, class In>
constexpr void fill(ActivationKernel (&outs)[5]) {
  outs[0] = activate_row<kind, In, float>;
  outs[1] = activate_row<kind, In, F16>;
  outs[2] = activate_row<kind, In, Bf16>;
  outs[3] = activate_row<kind, In, E4m3>;
  outs[4] = activate_row<kind, In, E5m2>;
}

template <ActivationKind kind>
constexpr void fill(ActivationKernel (&ins)[3][5]) {
  fill<kind, float>(ins[0]);
  fill<kind, F16>(ins[1]);
  fill<kind, Bf16>(ins[2]);
}

constexpr ActivationTable make_table() {
  ActivationTable table = {};
  fill<ActivationKind::silu>(table.kernels[0]);
  fill<ActivationKind::gelu>(table.kernels[1]);
  fill<ActivationKind::gelu_tanh>(table.kernels[2]);
  return table;
}

}  // namespace
}  // namespace weft
