// SPDX-License-Identifier: Apache-2.0
// How the GPU kernel of merge is asked for: its spec as a list of fields, its stub's names.
#pragma once

#include "kernels/merge/params.h"
#include "kernels/merge/spec.h"
#include "kernels/tile/no_smem.h"
#include "src/jit/source.h"
#include "weft/merge.h"

namespace weft {

template <class Visit>
void for_each_field(const MergeWarpSpec& s, Visit&& visit) {
  visit("dtype", s.dtype);
  visit("dtype_o", s.dtype_o);
  visit("head_dim", s.head_dim);
  visit("vec", s.vec);
  visit("unroll", s.unroll);
  visit("num_threads", s.num_threads);
  visit("ctas_per_sm", s.ctas_per_sm);
}

template <>
struct KernelTraits<MergeWarpSpec> : UsualKernel<MergeWarpSpec, MergeParams, NoSmem> {
  static constexpr const char* name = "merge";
  static constexpr const char* header = "kernels/merge/merge.cuh";
  static constexpr const char* spec = "weft::MergeWarpSpec";
  static constexpr const char* params = "weft::MergeParams";
  static constexpr const char* smem = "weft::NoSmem";
  static constexpr const char* function = "weft::merge_states";
};

/// The kernel of widest accesses for `config` (already checked); with vec = 1 it takes any strides.
MergeWarpSpec select_merge_warp(const MergeConfig& config);

}  // namespace weft
