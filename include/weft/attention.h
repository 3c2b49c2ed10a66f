// SPDX-License-Identifier: Apache-2.0
// attention: softmax(q k^T * sm_scale) v over paged or ragged KV, for prefill, decode, append,
// speculative verify and batches that mix them. Three clocks: make an Attention once per model,
// plan once per engine step, run once per layer. Contracts: docs/semantics.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "kernels/core/variant.h"
#include "weft/executor.h"
#include "weft/export.h"
#include "weft/target.h"
#include "weft/tensor.h"

namespace weft {

class CudaBackend;  // weft/cuda.h

enum class ScheduleMode : uint8_t {
  deterministic = 0,  // same batch, same bits
  batch_invariant,    // a request's bits depend on that request alone; KV split at fixed tokens
};

WEFT_API const char* name_of(ScheduleMode mode);

/// What the model and the engine's limits fix. A value; `select` rejects what cannot be run.
struct AttentionConfig {
  DType dtype_q = DType::bf16;   // f32, f16, bf16
  DType dtype_kv = DType::bf16;  // f32, f16, bf16, e4m3, e5m2
  DType dtype_o = DType::none;   // f32, f16, bf16; none = dtype_q
  int num_qo_heads = 0;          // a multiple of num_kv_heads
  int num_kv_heads = 0;
  int head_dim_qk = 0;  // 8..576, a multiple of 8
  int head_dim_vo = 0;  // 0 = head_dim_qk
  int page_size = 0;    // tokens a page holds; 0 = ragged KV
  KvLayout kv_layout = KvLayout::nhd;
  MaskMode mask = MaskMode::causal;
  Rope rope{};  // fused rotation of q and k at load; the cache holds unrotated keys

  ScheduleMode schedule = ScheduleMode::deterministic;
  int split_kv = 0;  // batch_invariant: KV tokens of one split; 0 = 1024
  /// The window the model mostly uses (-1 = none): a hint for balance. Results never depend on it;
  /// the window that acts is AttentionArgs::window_left.
  int window_left = -1;
  /// Checked mode: `plan` reads every page id as well, and `run` refuses a batch whose ids do not
  /// fit the cache. Costs one pass over kv_indices a step. On CUDA each run has a kernel before it
  /// that compares page ids, rows and mask bits with the tensors; a batch that does not fit then
  /// writes nothing, and AttentionPlan::status says why.
  bool checked = false;

  // Limits. Buffers are sized from them once; a batch beyond them is an error. On CUDA their ratio
  // also says what steps hold, decodes or prompts too, and so which kernels run: see
  // Attention::explain() and docs/kernels/prefill.md.
  int max_batch_size = 0;
  int max_nnz_qo = 0;  // most query tokens of one batch

  bool operator==(const AttentionConfig&) const = default;
};

WEFT_API std::string to_string(const AttentionConfig& config);

/// What one engine step brings. Lengths are i32 tensors on the target's device. The arrays are read
/// by `plan`, then by each `run`, `balance` and `explain` of that plan: keep them alive and
/// unchanged until the last one. On CUDA nothing is read by the host: one captured graph of plan
/// and runs serves every batch that is written to the same arrays. Its batch_size is that of the
/// capture; requests beyond those of a step have no query tokens and no KV (both indptr repeat
/// their last element).
struct AttentionBatch {
  TensorView qo_indptr;      // [batch_size + 1]: request r owns query rows [indptr[r], indptr[r+1])
  TensorView kv_indptr;      // [batch_size + 1]: in tokens (ragged) or in pages (paged)
  TensorView kv_indices;     // paged: [>= kv_indptr[-1]] page ids
  TensorView last_page_len;  // paged: [batch_size], 1..page_size (ignored for a request of 0 pages)
};

/// Tensors and run-time values of one layer. Only the last dimension of a tensor must be dense.
/// On sm_90 prompts are computed faster where data and strides of q, k and v are multiples of 16
/// bytes.
struct AttentionArgs {
  TensorView q;    // [nnz_qo, num_qo_heads, head_dim_qk]
  TensorView k;    // [num_pages, page_size, num_kv_heads, head_dim_qk] (nhd), heads second (hnd);
                   // ragged [nnz_kv, num_kv_heads, head_dim_qk] (nhd), heads first (hnd)
  TensorView v;    // like k, with head_dim_vo; may be a view into the same memory (MLA)
  TensorView o;    // out [nnz_qo, num_qo_heads, head_dim_vo]
  TensorView lse;  // out, optional: f32 [nnz_qo, num_qo_heads], natural log, sinks included

  std::optional<float> sm_scale;  // default head_dim_qk^-1/2
  float logits_soft_cap = 0.0f;   // c >= 1e-37: c * tanh(s / c); 0 = off
  int window_left = -1;           // w >= 0: keys j < i + kv_len - qo_len - w are masked; -1 = off
  float k_scale = 1.0f;           // multiplies k (per-tensor FP8 scale)
  float v_scale = 1.0f;           // multiplies v

  TensorView k_scales;      // optional f32 [num_kv_heads], multiplies k_scale per head
  TensorView v_scales;      // optional f32 [num_kv_heads], multiplies v_scale per head
  TensorView sink;          // optional f32 [num_qo_heads]: a logit that joins the denominator only
  TensorView alibi_slopes;  // optional f32 [num_qo_heads]: adds slope * (j - (i + kv_len - qo_len))
  TensorView custom_mask;   // u8 [bytes]: MaskMode custom or tree; bits little-endian in a byte
  TensorView mask_indptr;   // i32 [batch_size + 1]: first byte of each request's bits
  bool lse_base2 = false;   // lse in base 2 instead of natural log
};

namespace detail {
struct AttentionImpl;
struct AttentionPlanImpl;
}  // namespace detail

/// The schedule of one batch: fixed capacity, fixed addresses, rewritten by each `plan`. One run of
/// a plan at a time; different plans are independent. Movable.
class WEFT_API AttentionPlan {
 public:
  AttentionPlan();
  ~AttentionPlan();
  AttentionPlan(AttentionPlan&&) noexcept;
  AttentionPlan& operator=(AttentionPlan&&) noexcept;

  int batch_size() const;
  int num_workers() const;  // constant for a config and target

  // A plan made on CUDA is read back for the functions below: they wait for all work of the device,
  // read the batch's arrays, and may not be called during a capture.

  int num_items() const;   // work items
  int num_merges() const;  // tiles whose KV range was split
  /// Load of the busiest worker over the mean load, by the cost model. 1 = perfect.
  double balance() const;
  /// Several lines: which spec and why, how the work is spread, the lists drawn in text.
  std::string explain() const;
  /// The same as JSON. Each of `lists` serves the requests whose packed rows (query tokens times
  /// group_size) are least_rows..most_rows: its groups of workers and their items, merges, balance.
  std::string explain_json() const;
  /// What is wrong with the batch, found on the device; empty when nothing is. Such a batch has no
  /// work: its runs write nothing. Always empty on the CPU, where `plan` and `run` throw.
  std::string status() const;

  detail::AttentionPlanImpl* impl() const { return impl_.get(); }

 private:
  friend class Attention;
  std::unique_ptr<detail::AttentionPlanImpl> impl_;
};

/// A config made ready for a target. Immutable after construction: any number of threads may plan
/// and run through one Attention, each with its own plan.
class WEFT_API Attention {
 public:
  /// On the CPU. Selects kernels. Throws Error(invalid_argument) naming the field that is wrong,
  /// Error(unsupported) when this target cannot run the config.
  explicit Attention(const AttentionConfig& config, const Target& target = Target::host());
  /// On a GPU. Selects kernels and has them compiled or found, and loaded; all tensors of batches
  /// and runs then lie on that device. Throws as above, and Error(device) when a kernel cannot be
  /// made: a cold one takes some tenths of a second.
  Attention(const AttentionConfig& config, const CudaBackend& cuda);
  ~Attention();
  Attention(Attention&&) noexcept;
  Attention& operator=(Attention&&) noexcept;

  const AttentionConfig& config() const;
  const Target& target() const;
  /// Bytes of plan and partial results for any batch within the limits: exact, and a function of
  /// config and target only.
  size_t workspace_bytes() const;
  /// Which spec was chosen and why.
  std::string explain() const;

  /// A plan over `workspace` (u8 [>= workspace_bytes()], 64-byte aligned, on the target's device,
  /// kept alive by the caller; contents do not matter), or over memory of its own when not given.
  AttentionPlan create_plan(TensorView workspace = {}) const;

  /// Schedules a batch into `plan`. Allocates nothing. Throws Error(invalid_argument) on malformed
  /// arrays and Error(out_of_limits) beyond the limits; `plan` then keeps its earlier content.
  /// On CUDA: one kernel enqueued on executor.stream, which may be captured; shapes are checked
  /// here, numbers on the device (AttentionPlan::status).
  void plan(const AttentionBatch& batch, AttentionPlan& plan, const Executor& executor = {}) const;

  /// Computes o (and lse) for the planned batch. Allocates nothing, takes no lock. Throws
  /// Error(invalid_argument) before anything is written. On CUDA: enqueued on executor.stream, the
  /// stream of the plan or one that waits for it; may be captured.
  /// REQUIRES: `plan` was created by this Attention and holds a batch.
  void run(const AttentionPlan& plan, const AttentionArgs& args,
           const Executor& executor = {}) const;

 private:
  std::unique_ptr<detail::AttentionImpl> impl_;
};

}  // namespace weft
