// SPDX-License-Identifier: Apache-2.0
// How the operators on long rows (sampling, topk) deal them to clusters, and the launch of one
// cluster a row. Knows no operator.
#pragma once

#include <array>

#include "kernels/sampling/smem.h"
#include "src/cuda/rows.h"

namespace weft {

template <class Visit>
void for_each_field(const RowSlices& s, Visit&& visit) {
  visit("cluster", s.cluster);
  visit("num_threads", s.num_threads);
  visit("ctas_per_sm", s.ctas_per_sm);
  visit("slice", s.slice);
  visit("kept", s.kept);
}

/// For rows that are kept. Throws Error(unsupported) naming `argument` where `length` values do not
/// fit shared memory.
RowSlices select_slices(const char* argument, int length, const Target& target);

/// For a kernel that reads rows once, whole clusters a row: any length fits.
RowSlices spread_slices(int length, const Target& target);

/// For rows that pass by, `cluster` CTAs each.
RowSlices stream_slices(int length, int cluster);

/// CTAs a row that passes by may have: many rows need few each to fill a device.
inline constexpr std::array<int, 3> kStreamClusters = {4, 2, 1};

/// The fewest rows for which each of kStreamClusters is taken. With fewer than the first, 8 CTAs a
/// row find as many SMs: latency counts, not bytes.
std::array<int, 3> stream_rows(const Target& target);

/// Which of kStreamClusters suits `n` rows; -1 where they are so few that kept ones are faster.
int stream_choice(int64_t n, const Target& target);

/// "a cluster of 8 CTAs a row, 16384 values in each".
std::string describe(const RowSlices& slices);
/// One line on when rows pass by, for `when`; none on a device where they never do.
std::string describe_streams(const char* when, const Target& target);

/// One cluster for each of `n` rows.
template <class Params>
void launch_clusters(const CudaDevice& device, const CudaKernel& kernel, int cluster, int64_t n,
                     const Executor& executor, const Params& params) {
  check_cuda_executor(executor);
  int64_t ctas = 0;
  if (__builtin_mul_overflow(n, cluster, &ctas)) ctas = INT64_MAX;
  launch(device, kernel,
         LaunchShape{.num_ctas = checked_grid("n", ctas),
                     .cluster = cluster,
                     .overlaps_previous = device.target().arch >= 90},
         executor.stream, params);
}

/// By the operator's kernel of wide accesses where `wide`.
template <class Spec, class Params>
void launch_clusters(const RowOperator<Spec>& op, int64_t n, bool wide, const Executor& executor,
                     const Params& params) {
  launch_clusters(op.device(), wide ? *op.wide_kernel : *op.narrow_kernel,
                  op.wide_spec.slices.cluster, n, executor, params);
}

/// An operator on long rows: kernels that keep them, and some for rows that pass by.
template <class Spec>
struct LongRowOperator : RowOperator<Spec> {
  std::array<const CudaKernel*, kStreamClusters.size()> streams{};

  /// For prepare. `streams_too`: calls may ask for rows that pass by.
  LongRowOperator(const CudaBackend& cuda, const Spec& spec, int length, bool streams_too)
      : RowOperator<Spec>(cuda, spec) {
    if (!streams_too) return;
    detail::CudaState& state = cuda.state();
    const auto images = state.store.prepare(requests(spec, length, cuda.target()));
    for (size_t i = 0; i < images.size(); ++i) streams[i] = &state.device.load(*images[i]);
  }

  static Spec streamed(Spec spec, int length, int cluster) {
    spec.slices = stream_slices(length, cluster);
    return spec;
  }

  /// Of the kernels for rows that pass by: from sm_90 on.
  static std::vector<KernelRequest> requests(const Spec& spec, int length, const Target& target) {
    std::vector<KernelRequest> all;
    if (target.arch < 90) return all;
    for (const int cluster : kStreamClusters) {
      all.push_back(kernel_request(streamed(spec, length, cluster), target.arch));
    }
    return all;
  }

  /// `n` rows; by those of wide accesses where `wide`, and where `pass` as rows that pass by.
  template <class Params>
  void run(int64_t n, bool wide, bool pass, const Executor& executor, const Params& params) const {
    run_as(pass ? stream_choice(n, this->device().target()) : -1, n, wide, executor, params);
  }

  /// The same by the kernel for rows that pass by that `choice` names; -1: none of these.
  template <class Params>
  void run_as(int choice, int64_t n, bool wide, const Executor& executor,
              const Params& params) const {
    const CudaDevice& device = this->device();
    if (wide && choice >= 0 && streams[static_cast<size_t>(choice)] != nullptr) {
      const auto i = static_cast<size_t>(choice);
      return launch_clusters(device, *streams[i], kStreamClusters[i], n, executor, params);
    }
    launch_clusters(*this, n, wide, executor, params);
  }
};

}  // namespace weft
