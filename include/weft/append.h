// SPDX-License-Identifier: Apache-2.0
// append: writes new keys and values into the pages of a KV cache, optionally normalising heads of
// k and q, rotating both (fused RoPE), and quantising to the cache's dtype and q's.
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

struct AppendConfig {
  DType dtype = DType::bf16;     // of k, v and q: f32, f16, bf16
  DType dtype_kv = DType::none;  // of the cache: f32, f16, bf16, e4m3, e5m2; none = dtype
  int num_kv_heads = 0;
  int num_qo_heads = 0;  // > 0 only when q is rotated, normalised or quantised in the same call
  int head_dim_qk = 0;
  int head_dim_vo = 0;  // 0 = head_dim_qk
  int page_size = 0;    // >= 1
  KvLayout kv_layout = KvLayout::nhd;
  Rope rope{};          // mode none: k is copied as it is
  bool checked = true;  // read and check every index before anything is written
  // The whole step between projection and attention in one call: heads of k, and of q when given,
  // are RMS-normalised before they are rotated, and q may leave quantised.
  bool qk_norm = false;
  float norm_eps = 1e-6f;           // >= 0
  float norm_weight_offset = 0.0f;  // is added to k_weight and q_weight: 1 for Gemma
  DType dtype_q_out = DType::none;  // of q_out: dtype, e4m3, e5m2; none = dtype

  bool operator==(const AppendConfig&) const = default;
};

WEFT_API std::string to_string(const AppendConfig& config);

/// Token t goes to request batch_indices[t], position positions[t] of its KV:
/// page kv_indices[kv_indptr[r] + position / page_size], row position % page_size. No two tokens
/// may go to the same place. Division by a scale is a multiplication by 1 / scale in f32.
struct AppendArgs {
  TensorView k;               // [nnz, num_kv_heads, head_dim_qk]
  TensorView v;               // [nnz, num_kv_heads, head_dim_vo]
  TensorView batch_indices;   // i32 [nnz]
  TensorView positions;       // i32 [nnz]
  TensorView kv_indptr;       // i32 [batch_size + 1], in pages
  TensorView kv_indices;      // i32 [>= kv_indptr[-1]]
  TensorView k_cache;         // out, as AttentionArgs::k
  TensorView v_cache;         // out, as AttentionArgs::v
  float k_scale = 1.0f;       // the cache stores k / k_scale
  float v_scale = 1.0f;       // the cache stores v / v_scale
  TensorView k_scales;        // optional f32 [num_kv_heads]: multiplies k_scale per head
  TensorView v_scales;        // optional f32 [num_kv_heads]: multiplies v_scale per head
  TensorView q;               // [nnz, num_qo_heads, head_dim_qk] when num_qo_heads > 0: as k
  TensorView q_out;           // out with q, of dtype_q_out; may be q itself
  TensorView rope_positions;  // optional i32 or i64 [nnz]: angles, where they differ from positions
  TensorView cos_sin_cache;  // optional f32 [max_position, rope.dim]: cos in the first half, sin in
                             // the second; replaces theta and scaling
  TensorView k_weight;       // [head_dim_qk] of dtype, with config.qk_norm
  TensorView q_weight;       // the same, with q
  float q_scale = 1.0f;      // q_out holds q / q_scale
};

namespace detail {
struct AppendImpl;
}  // namespace detail

/// One per (config, target); immutable, thread-safe, cheap to copy.
class WEFT_API Append {
 public:
  /// Throws Error(invalid_argument) naming the field that is wrong, Error(unsupported) when this
  /// target cannot run the config.
  explicit Append(const AppendConfig& config, const Target& target = Target::host());
  /// The same on a GPU; all that can be compiled, loaded or allocated is so here. `run` then takes
  /// tensors on that device. A captured graph needs this object alive.
  Append(const AppendConfig& config, const CudaBackend& backend);
  /// The config with its defaults filled in.
  const AppendConfig& config() const;
  /// Which unit was chosen and why.
  std::string explain() const;
  /// Writes the tokens. Rounds to nearest even; in an FP8 cache values beyond its range saturate,
  /// infinities too, and NaN stays NaN. Throws Error(invalid_argument) before anything is written:
  /// wrong tensors always (q_out may be q; no other argument may overlap an output), indices out of
  /// range when config.checked. Allocates nothing, takes no lock.
  ///
  /// On a GPU it is enqueued on executor.stream, may be captured, and never waits. Indices and
  /// per-head scales are then known to the kernel alone: with config.checked it leaves a token out,
  /// its q too, when an index of it is wrong, and a head of k or v whose scale is no positive
  /// finite number, and notes the first for check(). Without, they are trusted.
  void run(const AppendArgs& args, const Executor& executor = {}) const;
  /// Waits for executor.stream, and throws Error(invalid_argument) naming the first element that a
  /// run on a GPU found wrong since the last call, e.g. "positions[5]", whatever its stream. For
  /// kv_indptr and kv_indices the index is that of the token. Not while the stream is captured.
  /// Nothing to do on the CPU, where run throws.
  void check(const Executor& executor = {}) const;

 private:
  std::shared_ptr<const detail::AppendImpl> impl_;
};

/// For `nnz = append_indptr[-1]` new tokens that end each request's KV: writes batch index and
/// position of each. append_indptr i32 [batch_size + 1], kv_lens i32 [batch_size] counts the new
/// tokens in; both outputs i32 [>= nnz]. All on the CPU.
WEFT_API void batch_indices_positions(const TensorView& append_indptr, const TensorView& kv_lens,
                                      const TensorView& batch_indices, const TensorView& positions);

}  // namespace weft
