// SPDX-License-Identifier: Apache-2.0
// merge: the algebra of attention states. A state is (o, lse) over a set of keys; merging two
// states over disjoint sets gives the state over their union. Identity: (0, -inf).
//
// A state whose lse is -inf is left out, whatever its o holds; when all are, the result is the
// identity. An lse of NaN or +inf makes o and lse of that (row, head) NaN, and no other.
// Source: split-softmax rescaling as in Flash-Decoding (Dao et al., 2023).
#pragma once

#include <memory>
#include <string>

#include "weft/cuda.h"
#include "weft/executor.h"
#include "weft/export.h"
#include "weft/target.h"
#include "weft/tensor.h"

namespace weft {

struct MergeConfig {
  DType dtype = DType::bf16;    // of every o_in: f32, f16, bf16
  DType dtype_o = DType::none;  // of o: f32, f16, bf16; none = dtype
  int num_heads = 0;
  int head_dim = 0;
  bool lse_base2 = false;  // every lse in base 2 instead of natural log

  bool operator==(const MergeConfig&) const = default;
};

WEFT_API std::string to_string(const MergeConfig& config);

/// States are merged in ascending order of their index, in f32.
struct MergeArgs {
  TensorView o_in;    // [n, num_states, num_heads, head_dim]
  TensorView lse_in;  // f32 [n, num_states, num_heads]
  TensorView o;       // out [n, num_heads, head_dim]
  TensorView lse;     // out, optional: f32 [n, num_heads]
};

/// The pairwise form: o = a merged with b. In place is allowed: o may be o_a or o_b itself, lse may
/// be lse_a or lse_b.
struct MergePairArgs {
  TensorView o_a;    // [n, num_heads, head_dim]
  TensorView lse_a;  // f32 [n, num_heads]
  TensorView o_b;
  TensorView lse_b;
  TensorView o;     // out
  TensorView lse;   // out, optional
  TensorView mask;  // optional u8 [n]: where 0, the row of b is left out (o = o_a)
};

namespace detail {
struct MergeImpl;
}  // namespace detail

/// One per (config, target); immutable, thread-safe, cheap to copy.
class WEFT_API Merge {
 public:
  /// Throws Error(invalid_argument) naming the field that is wrong, Error(unsupported) when this
  /// target cannot run the config.
  explicit Merge(const MergeConfig& config, const Target& target = Target::host());
  /// The same on a GPU; all that can be compiled or loaded is so here. `run` then takes tensors on
  /// that device, enqueues one launch on executor.stream, may be captured, and never waits.
  Merge(const MergeConfig& config, const CudaBackend& backend);
  /// The config with its defaults filled in.
  const MergeConfig& config() const;
  /// Which unit was chosen and why.
  std::string explain() const;
  /// Throw Error(invalid_argument) before anything is written, when a tensor is wrong or an output
  /// overlaps an input otherwise than in place, Error(out_of_limits) on a GPU when n * num_heads
  /// does not fit 31 bits. Allocate nothing, take no lock.
  void run(const MergeArgs& args, const Executor& executor = {}) const;
  void run(const MergePairArgs& args, const Executor& executor = {}) const;

 private:
  std::shared_ptr<const detail::MergeImpl> impl_;
};

}  // namespace weft
