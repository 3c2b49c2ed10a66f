// SPDX-License-Identifier: Apache-2.0
// What a GPU runs for a config: the spec and schedule, the compile-time spec of its kernel, and the
// kernel's launch argument. Pure; called by select.cc, cuda.cc and the compile gate.
#pragma once

#include <string>

#include "kernels/attention/mma_params.h"
#include "kernels/attention/mma_smem.h"
#include "kernels/attention/spec.h"
#include "src/jit/source.h"
#include "weft/attention.h"

namespace weft {

template <class Visit>
void for_each_field(const AttentionMmaSpec& s, Visit&& visit) {
  visit("dtype_q", s.dtype_q);
  visit("dtype_kv", s.dtype_kv);
  visit("dtype_o", s.dtype_o);
  visit("head_dim_qk", s.head_dim_qk);
  visit("head_dim_vo", s.head_dim_vo);
  visit("mask", s.mask);
  visit("rope", s.rope);
  visit("qo_tile", s.qo_tile);
  visit("num_stages", s.num_stages);
  visit("num_warps", s.num_warps);
  visit("ctas_per_sm", s.ctas_per_sm);
  visit("fixed_splits", s.fixed_splits);
}

template <>
struct KernelTraits<AttentionMmaSpec> {
  using Params = AttentionMmaParams;
  static constexpr const char* name = "attention_mma";
  static constexpr const char* header = "kernels/attention/mma.cuh";
  static constexpr const char* spec = "weft::AttentionMmaSpec";
  static constexpr const char* params = "weft::AttentionMmaParams";
  static constexpr const char* smem = "weft::AttentionMmaSmem";
  static constexpr const char* function = "weft::attention_mma";
  static KernelShape shape(const AttentionMmaSpec& s) {
    return {32 * s.num_warps, s.ctas_per_sm, AttentionMmaSmem::of(s).bytes};
  }
};

/// The spec that runs `config` (already checked) on a GPU. Throws Error(unsupported) when none can.
/// On sm_90, where max_nnz_qo / max_batch_size means more than 16 packed rows a request (and more
/// than one token), the wgmma kernel computes what it can; docs/kernels/prefill.md.
AttentionSpec select_attention_cuda(const AttentionConfig& config, const Target& target);

/// The part of a spec that is of short queries; and of a spec of unit cuda_wgmma the one by which
/// the general kernel alone runs all requests, for tensors that the copy engine cannot address.
AttentionSpec short_spec(AttentionSpec spec);
AttentionSpec general_spec(AttentionSpec spec);

/// The general kernel of a spec of any CUDA unit.
AttentionMmaSpec mma_spec(const AttentionSpec& spec, const Target& target);

/// The kernel's launch argument. REQUIRES: `args` is bound to a plan of `spec`.
AttentionMmaParams mma_params(const AttentionSpec& spec, const AttentionParams& args);

/// Why select_attention_cuda chose this spec, in a few lines.
std::string explain_selection_cuda(const AttentionConfig& config, const Target& target,
                                   const AttentionSpec& spec);

}  // namespace weft
