// SPDX-License-Identifier: Apache-2.0
// rope: rotary position embedding of q and k outside attention, in place or not, from position ids,
// from (indptr, offsets), or from a cos/sin cache.
// Source: Su et al., RoFormer, 2021; Llama 3.1 frequency scaling.
#pragma once

#include <memory>
#include <string>

#include "kernels/core/variant.h"
#include "weft/cuda.h"
#include "weft/executor.h"
#include "weft/export.h"
#include "weft/target.h"
#include "weft/tensor.h"

namespace weft {

struct RopeConfig {
  DType dtype = DType::bf16;  // of q, k and outputs: f32, f16, bf16
  int num_qo_heads = 0;
  int num_kv_heads = 0;  // 0 = no k
  int head_dim = 0;
  Rope rope{};          // mode neox or interleaved
  bool checked = true;  // read and check every position before anything is written

  bool operator==(const RopeConfig&) const = default;
};

WEFT_API std::string to_string(const RopeConfig& config);

/// Positions are given in exactly one of two ways: `positions`, or `indptr` with `offsets` (token t
/// of request r, with indptr[r] <= t < indptr[r+1], sits at offsets[r] + t - indptr[r]). They lie
/// in [0, 2^31), below max_position with a cache; angles are exact to f32 over all of that range.
/// Elements of a head beyond rope.dim are copied.
struct RopeArgs {
  TensorView q;              // [nnz, num_qo_heads, head_dim]
  TensorView k;              // [nnz, num_kv_heads, head_dim]; absent when num_kv_heads = 0
  TensorView q_out;          // out; may be q itself
  TensorView k_out;          // out; may be k itself
  TensorView positions;      // i32 or i64 [nnz]
  TensorView indptr;         // i32 [batch_size + 1]
  TensorView offsets;        // i32 [batch_size]
  TensorView cos_sin_cache;  // optional f32 [max_position, dim]: cos in the first half, sin in the
                             // second; replaces theta and scaling
};

namespace detail {
struct RopeImpl;
}  // namespace detail

/// One per (config, target); immutable, thread-safe, cheap to copy.
class WEFT_API RopeOp {
 public:
  /// Throws Error(invalid_argument) naming the field that is wrong, Error(unsupported) when this
  /// target cannot run the config.
  explicit RopeOp(const RopeConfig& config, const Target& target = Target::host());
  /// The same on a GPU; all that can be compiled, loaded or allocated is so here. `run` then takes
  /// tensors on that device. A captured graph needs this object alive.
  RopeOp(const RopeConfig& config, const CudaBackend& backend);
  /// The config with its defaults filled in.
  const RopeConfig& config() const;
  /// Which unit was chosen and why.
  std::string explain() const;
  /// Rotates q, and k when the config has one. Throws Error(invalid_argument) before anything is
  /// written: wrong tensors always (an output may be its own input, and may not overlap any other
  /// argument), positions out of range when config.checked. Allocates nothing, takes no lock.
  ///
  /// On a GPU it is enqueued on executor.stream, may be captured, and never waits. Contents of
  /// indptr, offsets and positions are then known to the kernel alone: with config.checked it
  /// leaves a token out that has none or a wrong one, and notes the first for check(). Without,
  /// they are trusted.
  void run(const RopeArgs& args, const Executor& executor = {}) const;
  /// Waits for executor.stream, and throws Error(invalid_argument) naming the first element that a
  /// run on a GPU found wrong since the last call, e.g. "positions[5]", whatever its stream. Not
  /// while the stream is captured. Nothing to do on the CPU, where run throws.
  void check(const Executor& executor = {}) const;

 private:
  std::shared_ptr<const detail::RopeImpl> impl_;
};

}  // namespace weft
