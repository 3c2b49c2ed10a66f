// SPDX-License-Identifier: Apache-2.0
// How the GPU kernel of rope is asked for: its spec as a list of fields, its stub's names.
#pragma once

#include "kernels/rope/params.h"
#include "kernels/rope/smem.h"
#include "src/jit/source.h"
#include "weft/rope.h"

namespace weft {

template <class Visit>
void for_each_field(const RopeWarpSpec& s, Visit&& visit) {
  visit("dtype", s.dtype);
  visit("head_dim", s.head_dim);
  visit("rotated_dim", s.rotated_dim);
  visit("mode", s.mode);
  visit("vec", s.vec);
  visit("unroll", s.unroll);
  visit("num_threads", s.num_threads);
  visit("ctas_per_sm", s.ctas_per_sm);
}

template <>
struct KernelTraits<RopeWarpSpec> : UsualKernel<RopeWarpSpec, RopeParams, RopeSmem> {
  static constexpr const char* name = "rope";
  static constexpr const char* header = "kernels/rope/rope.cuh";
  static constexpr const char* spec = "weft::RopeWarpSpec";
  static constexpr const char* params = "weft::RopeParams";
  static constexpr const char* smem = "weft::RopeSmem";
  static constexpr const char* function = "weft::rope_tokens";
};

/// The kernel of widest accesses for `config` (already checked); with vec = 1 it takes any strides.
RopeWarpSpec select_rope_warp(const RopeConfig& config);

}  // namespace weft
