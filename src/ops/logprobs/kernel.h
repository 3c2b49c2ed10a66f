// SPDX-License-Identifier: Apache-2.0
// How the GPU kernel of logprobs is asked for: its spec as a list of fields, its stub's names.
#pragma once

#include "kernels/logprobs/params.h"
#include "kernels/logprobs/smem.h"
#include "src/cuda/row_slices.h"
#include "src/jit/source.h"
#include "weft/logprobs.h"

namespace weft {

template <class Visit>
void for_each_field(const LogprobsRowSpec& s, Visit&& visit) {
  visit("dtype", s.dtype);
  visit("vec", s.vec);
  visit("slices", s.slices);
}

template <>
struct KernelTraits<LogprobsRowSpec> {
  using Params = LogprobsParams;
  static constexpr const char* name = "logprobs";
  static constexpr const char* header = "kernels/logprobs/logprobs.cuh";
  static constexpr const char* spec = "weft::LogprobsRowSpec";
  static constexpr const char* params = "weft::LogprobsParams";
  static constexpr const char* smem = "weft::LogprobsSmem";
  static constexpr const char* function = "weft::logprobs_rows";
  static KernelShape shape(const LogprobsRowSpec& s) {
    return {s.slices.num_threads, s.slices.ctas_per_sm, LogprobsSmem::of(s).bytes};
  }
};

/// The kernel of widest accesses for `config` (already checked) on `target`.
LogprobsRowSpec select_logprobs_row(const LogprobsConfig& config, const Target& target);

}  // namespace weft
