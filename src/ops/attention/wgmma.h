// SPDX-License-Identifier: Apache-2.0
// The wgmma attention kernel as the host sees it: how its spec prints itself, and its launch
// argument with the tensor maps of a run's tensors. Pure but for encode_maps.
#pragma once

#include <string>

#include "kernels/attention/wgmma_params.h"
#include "kernels/attention/wgmma_smem.h"
#include "src/cuda/device.h"
#include "src/cuda/tensor_map.h"
#include "src/jit/source.h"
#include "weft/attention.h"

namespace weft {

template <class Visit>
void for_each_field(const AttentionWgmmaSpec& s, Visit&& visit) {
  visit("dtype", s.dtype);
  visit("dtype_o", s.dtype_o);
  visit("head_dim_qk", s.head_dim_qk);
  visit("head_dim_vo", s.head_dim_vo);
  visit("mask", s.mask);
  visit("num_consumers", s.num_consumers);
  visit("kv_tile", s.kv_tile);
  visit("num_stages", s.num_stages);
  visit("num_q_stages", s.num_q_stages);
  visit("gather", s.gather);
  visit("num_producers", s.num_producers);
  visit("banded", s.banded);
  visit("rope", s.rope);
}

template <>
struct KernelTraits<AttentionWgmmaSpec> {
  using Params = AttentionWgmmaParams;
  static constexpr const char* name = "attention_wgmma";
  static constexpr const char* header = "kernels/attention/wgmma.cuh";
  static constexpr const char* spec = "weft::AttentionWgmmaSpec";
  static constexpr const char* params = "weft::AttentionWgmmaParams";
  static constexpr const char* smem = "weft::AttentionWgmmaSmem";
  static constexpr const char* function = "weft::attention_wgmma";
  static KernelShape shape(const AttentionWgmmaSpec& s) {
    return {s.num_threads(), 1, AttentionWgmmaSmem::of(s).bytes};
  }
};

/// The spec with the tiles that measured best for its head dimensions (docs/kernels/prefill.md), or
/// num_consumers = 0 when this kernel does not do `config`: FP8, f32, groups beyond a tile, head
/// dimensions beyond 256 or not in steps of 16.
AttentionWgmmaSpec wgmma_spec(const AttentionConfig& config);

/// Which field of a config for which wgmma_spec has no kernel asks too much of it, in words.
std::string why_not_wgmma(const AttentionConfig& config);

/// One lane, so that all CTAs walk the KV heads together; a CTA a group. Cost: what a tile costs
/// beside its blocks is 1.3 blocks where tiles run on into each other, and 2 to 4 where they wait
/// for their queries. Too little is worse than too much: causal batches of 4k lose 4 % at 1800.
/// Batch-invariant: whole tiles only, whose bits are those of their request alone.
ScheduleSpec wgmma_schedule(const AttentionConfig& config, const AttentionWgmmaSpec& spec,
                            int num_groups);

/// True when the copy engine can read a run's q, k and v: 16-byte aligned data and strides, and
/// paged caches of fewer than 2^31 places (their extent over the common divisor of their strides).
bool wgmma_can_read(const AttentionArgs& args);

/// The launch argument of a run, and what its tensor maps must say.
struct WgmmaBinding {
  AttentionWgmmaParams params;
  TensorMapShape q, k, v;  // k and v without dimensions when rows are gathered
};

/// `bound`: the run's tensors and plan; `args`: the same tensors with their shapes.
/// REQUIRES: wgmma_can_read(args).
WgmmaBinding bind_wgmma(const AttentionConfig& config, const AttentionWgmmaSpec& spec,
                        const ScheduleSpec& schedule, const AttentionArgs& args,
                        const AttentionParams& bound);

/// Encodes the three maps; then the argument is ready.
const AttentionWgmmaParams& encode_maps(const CudaDevice& device, WgmmaBinding& binding);

}  // namespace weft
