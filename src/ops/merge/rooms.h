// SPDX-License-Identifier: Apache-2.0
// What the rooms of merge (check, select, run, cpu) offer each other.
#pragma once

#include "kernels/merge/params.h"
#include "kernels/merge/spec.h"
#include "weft/merge.h"

namespace weft {
namespace detail {

struct MergeImpl {
  MergeConfig config;
  Target target;
  MergeSpec spec;
};

}  // namespace detail

/// Largest head_dim: partial sums of a head wait on the stack.
inline constexpr int kMaxMergeHeadDim = 1024;

/// Config with its defaults filled in. Throws Error(invalid_argument) naming the wrong field.
MergeConfig checked_config(MergeConfig config);

/// The spec that runs `config` (already checked) on `target`; Error(unsupported) when none does.
MergeSpec select_merge(const MergeConfig& config, const Target& target);

/// Throw Error(invalid_argument) naming the wrong argument. Allocate nothing unless they throw.
void check_merge_args(const MergeConfig& config, const MergeArgs& args);
void check_merge_args(const MergeConfig& config, const MergePairArgs& args);

/// Merges rows [0, params.n).
void run_merge_cpu(const MergeSpec& spec, const MergeParams& params, const Executor& executor);

}  // namespace weft
