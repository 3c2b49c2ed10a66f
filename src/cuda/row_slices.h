// SPDX-License-Identifier: Apache-2.0
// How the operators on long rows (sampling, topk) deal them to clusters, and the launch of one
// cluster a row. Knows no operator.
#pragma once

#include "kernels/sampling/smem.h"
#include "src/cuda/rows.h"

namespace weft {

template <class Visit>
void for_each_field(const RowSlices& s, Visit&& visit) {
  visit("cluster", s.cluster);
  visit("num_threads", s.num_threads);
  visit("ctas_per_sm", s.ctas_per_sm);
  visit("slice", s.slice);
}

/// Throws Error(unsupported) naming `argument` where `length` values do not fit shared memory.
RowSlices select_slices(const char* argument, int length, const Target& target);

/// For a kernel that reads rows and keeps none of them: any length fits.
RowSlices stream_slices(int length, const Target& target);

/// "a cluster of 8 CTAs a row, 16384 values in each".
std::string describe(const RowSlices& slices);

/// One cluster for each of `n` rows.
template <class Spec, class Params>
void launch_clusters(const RowOperator<Spec>& kernels, int64_t n, bool wide,
                     const Executor& executor, const Params& params) {
  check_cuda_executor(executor);
  const CudaDevice& device = kernels.device();
  const int cluster = kernels.wide_spec.slices.cluster;
  int64_t ctas = 0;
  if (__builtin_mul_overflow(n, cluster, &ctas)) ctas = INT64_MAX;
  launch(device, wide ? *kernels.wide_kernel : *kernels.narrow_kernel,
         LaunchShape{.num_ctas = checked_grid("n", ctas),
                     .cluster = cluster,
                     .overlaps_previous = device.target().arch >= 90},
         executor.stream, params);
}

}  // namespace weft
