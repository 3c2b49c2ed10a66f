// SPDX-License-Identifier: Apache-2.0
// How the GPU kernel of append is asked for: its spec as a list of fields, its stub's names.
#pragma once

#include "kernels/append/params.h"
#include "kernels/append/smem.h"
#include "src/jit/source.h"
#include "weft/append.h"

namespace weft {

template <class Visit>
void for_each_field(const AppendWarpSpec& s, Visit&& visit) {
  visit("dtype", s.dtype);
  visit("dtype_kv", s.dtype_kv);
  visit("head_dim_qk", s.head_dim_qk);
  visit("head_dim_vo", s.head_dim_vo);
  visit("rotated_dim", s.rotated_dim);
  visit("mode", s.mode);
  visit("has_q", s.has_q);
  visit("normed", s.normed);
  visit("dtype_q_out", s.dtype_q_out);
  visit("vec", s.vec);
  visit("unroll", s.unroll);
  visit("num_threads", s.num_threads);
  visit("ctas_per_sm", s.ctas_per_sm);
}

template <>
struct KernelTraits<AppendWarpSpec> : UsualKernel<AppendWarpSpec, AppendParams, AppendSmem> {
  static constexpr const char* name = "append";
  static constexpr const char* header = "kernels/append/append.cuh";
  static constexpr const char* spec = "weft::AppendWarpSpec";
  static constexpr const char* params = "weft::AppendParams";
  static constexpr const char* smem = "weft::AppendSmem";
  static constexpr const char* function = "weft::append_tokens";
};

/// The kernel of widest accesses for `config` (already checked); with vec = 1 it takes any strides.
AppendWarpSpec select_append_warp(const AppendConfig& config);

}  // namespace weft
