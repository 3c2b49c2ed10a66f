// SPDX-License-Identifier: Apache-2.0
// The case table of merge: any number of states, pairs in place and masked, every dtype, strides;
// tensors for a row, and their comparison with float64. The CPU and the GPU run the same rows.
#pragma once

#include <string>
#include <vector>

#include "tests/cases/tensors.h"
#include "weft/merge.h"

namespace weft::cases {

/// How far apart the lse of states are, and what else is among them.
enum class LseSpread { usual, equal, wide, some_empty, all_empty };

struct MergeCase {
  const char* name;
  DType dtype = DType::bf16;
  DType dtype_o = DType::none;
  int n = 5;
  int states = 3;
  int heads = 4;
  int head_dim = 64;
  bool base2 = false;
  bool lse = true;  // is asked for
  LseSpread spread = LseSpread::usual;
  int64_t pad = 0;
};

const std::vector<MergeCase>& merge_cases();
MergeCase random_merge_case(Random& random);

struct MergeData {
  MergeConfig config;
  MergeArgs args;
  OwnedTensor o_in, lse_in, o, lse;
};

MergeData make_merge_data(const MergeCase& c, uint64_t seed);

/// Empty when o and lse of `data.args` are the merge of its states.
std::string compare_merge(const MergeData& data);

/// The same, and that no other byte was written.
std::string compare_merge_exactly(const MergeCase& c, const MergeData& data);

/// The pair form is the general form of two states, wherever its outputs lie.
struct MergePairCase {
  const char* name;
  enum { apart, into_a, into_b } o = apart;
  enum { none, fresh, lse_a, lse_b } lse = fresh;
  bool mask = false;
  int64_t pad = 0;
};

const std::vector<MergePairCase>& merge_pair_cases();

struct MergePairData {
  MergeData all;  // the two states as one tensor, and where the result goes
  MergePairArgs args;
  OwnedTensor o_a, o_b, lse_a, lse_b, mask;
};

MergePairData make_pair_data(const MergePairCase& c, DType dtype);

}  // namespace weft::cases
