// SPDX-License-Identifier: Apache-2.0
// Every GPU kernel that a config can reach: what prepare makes ready, and what `weft aot` writes to
// a bundle on a machine without a GPU.
#pragma once

#include <vector>

#include "kernels/attention/check_params.h"
#include "kernels/attention/check_spec.h"
#include "kernels/attention/spec.h"
#include "src/jit/kernel_store.h"
#include "weft/attention.h"

namespace weft {

template <class Visit>
void for_each_field(const AttentionCheckSpec& s, Visit&& visit) {
  visit("num_threads", s.num_threads);
}

template <>
struct KernelTraits<AttentionCheckSpec> {
  using Params = AttentionCheckParams;
  static constexpr const char* name = "attention_check";
  static constexpr const char* header = "kernels/attention/check.cuh";
  static constexpr const char* spec = "weft::AttentionCheckSpec";
  static constexpr const char* params = "weft::AttentionCheckParams";
  static constexpr const char* smem = "weft::AttentionCheckSmem";
  static constexpr const char* function = "weft::check_attention_batch";
  static KernelShape shape(const AttentionCheckSpec& s) { return {s.num_threads, 1, 0}; }
};

/// REQUIRES: `config` checked, `spec` selected for it and `target`.
std::vector<KernelRequest> attention_kernels(const AttentionConfig& config,
                                             const AttentionSpec& spec, const Target& target);

}  // namespace weft
