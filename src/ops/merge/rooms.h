// SPDX-License-Identifier: Apache-2.0
// What the rooms of merge (check, select, run, cpu, cuda) offer each other.
#pragma once

#include <memory>
#include <string>

#include "kernels/merge/params.h"
#include "kernels/merge/spec.h"
#include "weft/cuda.h"
#include "weft/merge.h"

namespace weft {
namespace detail {

struct MergeCuda;  // what is prepared on a GPU

struct MergeImpl {
  MergeConfig config;
  Target target;
  MergeSpec spec;                         // of the CPU
  std::shared_ptr<const MergeCuda> cuda;  // null on the CPU
};

}  // namespace detail

/// Largest head_dim: partial sums of a head wait on the stack.
inline constexpr int kMaxMergeHeadDim = 1024;

/// Config with its defaults filled in. Throws Error(invalid_argument) naming the wrong field.
MergeConfig checked_config(MergeConfig config);

/// The spec that runs `config` (already checked) on `target`; Error(unsupported) when none does.
MergeSpec select_merge(const MergeConfig& config, const Target& target);

/// Throw Error(invalid_argument) naming the wrong argument. Allocate nothing unless they throw.
void check_merge_args(const MergeConfig& config, Device device, const MergeArgs& args);
void check_merge_args(const MergeConfig& config, Device device, const MergePairArgs& args);

/// Merges rows [0, params.n).
void run_merge_cpu(const MergeSpec& spec, const MergeParams& params, const Executor& executor);

/// The kernels of `config` (already checked) on a GPU.
std::shared_ptr<const detail::MergeCuda> prepare_merge_cuda(const MergeConfig& config,
                                                            const CudaBackend& backend);
/// Enqueues one launch; `params` as bound for the CPU, from tensors that all have rows of vectors
/// of `vec` elements, see merge_vec.
void run_merge_cuda(const detail::MergeCuda& cuda, const MergeConfig& config, MergeParams params,
                    bool wide, const Executor& executor);
/// Elements of the widest access of the kernels.
int merge_vec(const detail::MergeCuda& cuda);
std::string explain_merge_cuda(const detail::MergeCuda& cuda);

}  // namespace weft
