// SPDX-License-Identifier: Apache-2.0
// How the GPU kernel of activation is asked for: its spec as a list of fields, its stub's names.
#pragma once

#include "kernels/activation/params.h"
#include "kernels/activation/spec.h"
#include "kernels/tile/no_smem.h"
#include "src/jit/source.h"
#include "weft/activation.h"

namespace weft {

template <>
struct CppName<ActivationKind> {
  static constexpr const char* value = "weft::ActivationKind";
};

template <class Visit>
void for_each_field(const ActivationWarpSpec& s, Visit&& visit) {
  visit("dtype", s.dtype);
  visit("dtype_out", s.dtype_out);
  visit("kind", s.kind);
  visit("vec", s.vec);
  visit("num_threads", s.num_threads);
  visit("ctas_per_sm", s.ctas_per_sm);
}

template <>
struct KernelTraits<ActivationWarpSpec>
    : UsualKernel<ActivationWarpSpec, ActivationParams, NoSmem> {
  static constexpr const char* name = "activation";
  static constexpr const char* header = "kernels/activation/activation.cuh";
  static constexpr const char* spec = "weft::ActivationWarpSpec";
  static constexpr const char* params = "weft::ActivationParams";
  static constexpr const char* smem = "weft::NoSmem";
  static constexpr const char* function = "weft::activate_and_multiply";
};

/// The kernel of widest accesses for `config` (already checked); with vec = 1 it takes any strides.
ActivationWarpSpec select_activation_warp(const ActivationConfig& config);

}  // namespace weft
