// SPDX-License-Identifier: Apache-2.0
// How the GPU kernel of norm is asked for: its spec as a list of fields, its stub's names.
#pragma once

#include "kernels/norm/params.h"
#include "kernels/norm/smem.h"
#include "src/jit/source.h"
#include "weft/norm.h"

namespace weft {

template <>
struct CppName<NormKind> {
  static constexpr const char* value = "weft::NormKind";
};

template <class Visit>
void for_each_field(const NormWarpSpec& s, Visit&& visit) {
  visit("dtype", s.dtype);
  visit("dtype_out", s.dtype_out);
  visit("dtype_weight", s.dtype_weight);
  visit("kind", s.kind);
  visit("adds", s.adds);
  visit("hidden", s.hidden);
  visit("vec", s.vec);
  visit("lanes", s.lanes);
  visit("num_threads", s.num_threads);
  visit("ctas_per_sm", s.ctas_per_sm);
}

template <>
struct KernelTraits<NormWarpSpec> : UsualKernel<NormWarpSpec, NormParams, NormSmem> {
  static constexpr const char* name = "norm";
  static constexpr const char* header = "kernels/norm/norm.cuh";
  static constexpr const char* spec = "weft::NormWarpSpec";
  static constexpr const char* params = "weft::NormParams";
  static constexpr const char* smem = "weft::NormSmem";
  static constexpr const char* function = "weft::norm_rows";
};

/// The kernel of widest accesses for `config` (already checked).
NormWarpSpec select_norm_warp(const NormConfig& config);
/// The same with single elements, for any strides and addresses.
NormWarpSpec narrowed(NormWarpSpec spec);

}  // namespace weft
