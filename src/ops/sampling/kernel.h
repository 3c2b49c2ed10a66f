// SPDX-License-Identifier: Apache-2.0
// How the GPU kernels of sampling are asked for: their spec as a list of fields, its stub's names.
#pragma once

#include "kernels/sampling/params.h"
#include "kernels/sampling/smem.h"
#include "src/cuda/row_slices.h"
#include "src/jit/source.h"
#include "weft/sampling.h"

namespace weft {

template <class Visit>
void for_each_field(const SamplingRowSpec& s, Visit&& visit) {
  visit("dtype", s.dtype);
  visit("dtype_out", s.dtype_out);
  visit("job", s.job);
  visit("probs", s.probs);
  visit("vec", s.vec);
  visit("slices", s.slices);
}

constexpr const char* name_of(SamplingJob job) {
  return job == SamplingJob::draw ? "draw" : "filter";
}

template <>
struct CppName<SamplingJob> {
  static constexpr const char* value = "weft::SamplingJob";
};

template <>
struct KernelTraits<SamplingRowSpec> {
  using Params = SamplingParams;
  static constexpr const char* name = "sampling";
  static constexpr const char* header = "kernels/sampling/sample.cuh";
  static constexpr const char* spec = "weft::SamplingRowSpec";
  static constexpr const char* params = "weft::SamplingParams";
  static constexpr const char* smem = "weft::SamplingSmem";
  static constexpr const char* function = "weft::sample_rows";
  static KernelShape shape(const SamplingRowSpec& s) {
    return {s.slices.num_threads, s.slices.ctas_per_sm, SamplingSmem::of(s).bytes};
  }
};

/// The kernel of widest accesses for `config` (already checked) on `target`; Error(unsupported)
/// where a row does not fit the shared memory of a cluster.
SamplingRowSpec select_sampling_row(const SamplingConfig& config, const Target& target,
                                    SamplingJob job, DType dtype_out);

}  // namespace weft
