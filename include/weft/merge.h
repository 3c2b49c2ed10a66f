// SPDX-License-Identifier: Apache-2.0
// merge: the algebra of attention states. A state is (o, lse) over a set of keys; merging two
// states over disjoint sets gives the state over their union. Identity: (0, -inf).
// Source: split-softmax rescaling as in Flash-Decoding (Dao et al., 2023).
#pragma once

#include <string>

#include "weft/executor.h"
#include "weft/target.h"
#include "weft/tensor.h"

namespace weft {

struct MergeConfig {
  DType dtype = DType::bf16;     // of every o_in: f32, f16, bf16
  DType dtype_o = DType::none;   // of o: f32, f16, bf16; none = dtype
  int num_heads = 0;
  int head_dim = 0;
  bool lse_base2 = false;  // every lse in base 2 instead of natural log

  bool operator==(const MergeConfig&) const = default;
};

std::string to_string(const MergeConfig& config);

/// States are merged in ascending order of their index, in f32.
struct MergeArgs {
  TensorView o_in;    // [n, num_states, num_heads, head_dim]
  TensorView lse_in;  // f32 [n, num_states, num_heads]
  TensorView o;       // out [n, num_heads, head_dim]
  TensorView lse;     // out, optional: f32 [n, num_heads]
};

/// The pairwise form: o = a merged with b. o may be o_a itself (in place), lse may be lse_a.
struct MergePairArgs {
  TensorView o_a;    // [n, num_heads, head_dim]
  TensorView lse_a;  // f32 [n, num_heads]
  TensorView o_b;
  TensorView lse_b;
  TensorView o;     // out
  TensorView lse;   // out, optional
  TensorView mask;  // optional u8 [n]: where 0, the row of b is left out
};

/// One per (config, target); immutable, thread-safe.
class Merge {
 public:
  explicit Merge(const MergeConfig& config, const Target& target = Target::host());
  const MergeConfig& config() const { return config_; }
  std::string explain() const;
  void run(const MergeArgs& args, const Executor& executor = {}) const;
  void run(const MergePairArgs& args, const Executor& executor = {}) const;

 private:
  MergeConfig config_;
  Target target_;
};

}  // namespace weft
