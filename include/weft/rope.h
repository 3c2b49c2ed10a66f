// SPDX-License-Identifier: Apache-2.0
// rope: rotary position embedding of q and k outside attention, in place or not, from position ids,
// from (indptr, offsets), or from a cos/sin cache.
// Source: Su et al., RoFormer, 2021; Llama 3.1 frequency scaling.
#pragma once

#include <string>

#include "kernels/core/variant.h"
#include "weft/executor.h"
#include "weft/target.h"
#include "weft/tensor.h"

namespace weft {

struct RopeConfig {
  DType dtype = DType::bf16;  // of q, k and outputs: f32, f16, bf16
  int num_qo_heads = 0;
  int num_kv_heads = 0;  // 0 = no k
  int head_dim = 0;
  Rope rope;  // mode neox or interleaved

  bool operator==(const RopeConfig&) const = default;
};

std::string to_string(const RopeConfig& config);

/// Positions are given in exactly one of two ways: `positions`, or `indptr` with `offsets` (token t
/// of request r, with indptr[r] <= t < indptr[r+1], sits at offsets[r] + t - indptr[r]).
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

/// One per (config, target); immutable, thread-safe.
class RopeOp {
 public:
  explicit RopeOp(const RopeConfig& config, const Target& target = Target::host());
  const RopeConfig& config() const { return config_; }
  std::string explain() const;
  void run(const RopeArgs& args, const Executor& executor = {}) const;

 private:
  RopeConfig config_;
  Target target_;
};

}  // namespace weft
