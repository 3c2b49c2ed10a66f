// SPDX-License-Identifier: Apache-2.0
// The merge of attention states in float64: lse adds up in the exponential, o is the average with
// those weights. Used by the merge tests and by the halves-make-a-whole tests of attention.
#pragma once

#include <vector>

#include "weft/merge.h"

namespace weft::oracle {

struct State {
  std::vector<double> o;
  double lse = 0;  // base 2 when the config says so
};

/// Row `n`, head `head` of the merge of all states.
State merge_row(const MergeConfig& config, const MergeArgs& args, int64_t n, int head);
/// The pairwise form.
State merge_row(const MergeConfig& config, const MergePairArgs& args, int64_t n, int head);
/// The algebra itself, lse in base 2 or natural.
State merge(const std::vector<State>& states, bool base2);

}  // namespace weft::oracle
