// SPDX-License-Identifier: Apache-2.0
// activate_and_multiply: activation(gate) * up, a thread for one vector. Bound by memory: two loads
// of 16 bytes and one store, side by side over a whole row.
#pragma once

#include "kernels/activation/params.h"
#include "kernels/activation/spec.h"
#include "kernels/core/activation.h"
#include "kernels/ptx/convert.cuh"
#include "kernels/ptx/griddep.cuh"
#include "kernels/tile/elements.cuh"
#include "kernels/tile/no_smem.h"

namespace weft {
namespace activation_kernel {

/// x / (1 + 2^a).
__device__ __forceinline__ float logistic(float x, float a) {
  return x * rcp_approx(1.0f + exp2_approx(a));
}

template <ActivationKind kind>
__device__ __forceinline__ float activate(float x) {
  if constexpr (kind == ActivationKind::silu) {
    return logistic(x, -kLog2OfE * x);
  } else if constexpr (kind == ActivationKind::gelu_tanh) {
    return logistic(x, x * __fmaf_rn(kGeluCubic * x, x, kGeluLinear));
  } else {
    const float z = fabsf(x) * kSqrtHalf;
    const float tail =
        exp2_approx(-kLog2OfE * z * z) * erfc_polynomial(rcp_approx(1.0f + kErfcScale * z)) * 0.5f;
    return x * (x < 0.0f ? tail : 1.0f - tail);
  }
}

}  // namespace activation_kernel

/// REQUIRES: spec.num_threads threads a CTA, one for each vector of the output.
template <ActivationWarpSpec spec>
__device__ __forceinline__ void activate_and_multiply(const ActivationParams& p) {
  using namespace activation_kernel;
  constexpr int kIn = spec.vec * size_of(spec.dtype), kOut = spec.vec * size_of(spec.dtype_out);
  griddep_launch_dependents();
  const uint32_t index = blockIdx.x * spec.num_threads + threadIdx.x;
  if (index >= static_cast<uint32_t>(p.num_vectors)) return;
  const int32_t row = p.vectors.quotient(static_cast<int32_t>(index));
  const int64_t column = p.vectors.remainder(static_cast<int32_t>(index), row);
  const int64_t from = row * p.x_stride * size_of(spec.dtype) + column * kIn;
  griddep_wait();
  const RawOf<spec.dtype, spec.vec> gate = load_raw<kIn>(static_cast<const char*>(p.gate) + from);
  const RawOf<spec.dtype, spec.vec> up = load_raw<kIn>(static_cast<const char*>(p.up) + from);
  const float scale = p.scales == nullptr ? p.scale : p.scale / p.scales[0];
  float x[spec.vec], y[spec.vec];
  to_f32<spec.dtype, spec.vec>(gate, x);
  to_f32<spec.dtype, spec.vec>(up, y);
#pragma unroll
  for (int i = 0; i < spec.vec; ++i) y[i] = activate<spec.kind>(x[i]) * y[i] * scale;
  store_raw(
      static_cast<char*>(p.out) + row * p.out_stride * size_of(spec.dtype_out) + column * kOut,
      from_f32<spec.dtype_out, spec.vec>(y));
}

}  // namespace weft
