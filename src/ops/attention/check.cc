// SPDX-License-Identifier: Apache-2.0
// Everything attention refuses, before anything is written. The passing path allocates nothing.
#include "src/base/check.h"

#include <algorithm>
#include <cmath>

#include "src/base/overlap.h"
#include "src/ops/attention/plan.h"

namespace weft {
namespace {

constexpr Device kCpu{};

// KV tokens of one request: rounding up to a split, at most 2^24, stays within int32.
constexpr int64_t kMostTokens = INT32_MAX - (1 << 24);

const int32_t* ints(const TensorView& tensor) { return static_cast<const int32_t*>(tensor.data); }

std::string element(const char* name, int64_t i) {
  return std::string(name) + "[" + std::to_string(i) + "]";
}

// First element 0, never decreasing; returns the last element.
int32_t check_indptr(const char* name, const TensorView& tensor, int64_t batch_size) {
  const int32_t* indptr = ints(tensor);
  if (indptr[0] != 0) {
    fail(ErrorKind::invalid_argument, name, "first element 0", std::to_string(indptr[0]));
  }
  for (int64_t r = 0; r < batch_size; ++r) {
    if (indptr[r + 1] >= indptr[r]) continue;
    fail(ErrorKind::invalid_argument, name,
         "non-decreasing, " + element(name, r + 1) + " >= " + std::to_string(indptr[r]),
         std::to_string(indptr[r + 1]));
  }
  return indptr[batch_size];
}

void check_page_tables(const AttentionConfig& config, const AttentionBatch& batch,
                       CheckedBatch& checked) {
  check_tensor("kv_indices", batch.kv_indices, DType::i32, {at_least(checked.nnz_kv)}, kCpu);
  const int32_t* kv_indptr = checked.lengths.kv_indptr;
  const int32_t* last_page_len = checked.lengths.last_page_len;
  for (int32_t r = 0; r < checked.batch_size; ++r) {
    const int64_t pages = kv_indptr[r + 1] - kv_indptr[r];
    if (pages == 0) continue;
    if (last_page_len[r] < 1 || last_page_len[r] > config.page_size) {
      fail(ErrorKind::invalid_argument, "last_page_len",
           "1 <= " + element("last_page_len", r) +
               " <= page_size = " + std::to_string(config.page_size),
           std::to_string(last_page_len[r]));
    }
    if (pages * config.page_size > kMostTokens) {
      fail(ErrorKind::out_of_limits, "kv_indptr",
           "at most " + std::to_string(kMostTokens) + " tokens in a request",
           std::to_string(pages) + " pages of " + std::to_string(config.page_size));
    }
  }
  if (!config.checked) return;
  for (int32_t i = 0; i < checked.nnz_kv; ++i) {
    const int32_t id = checked.kv_indices[i];
    if (id < 0) {
      fail(ErrorKind::invalid_argument, "kv_indices", element("kv_indices", i) + " >= 0",
           std::to_string(id));
    }
    checked.max_page_id = std::max(checked.max_page_id, id);
  }
}

void check_cache(const char* name, const TensorView& tensor, const AttentionConfig& c, int head_dim,
                 const detail::AttentionPlanImpl& plan) {
  const int64_t heads = c.num_kv_heads;
  const Device device = plan.device();
  const bool nhd = c.kv_layout == KvLayout::nhd;
  if (c.page_size == 0) {
    const int64_t tokens = at_least(plan.nnz_kv);
    if (nhd) check_tensor(name, tensor, c.dtype_kv, {tokens, heads, head_dim}, device);
    if (!nhd) check_tensor(name, tensor, c.dtype_kv, {heads, tokens, head_dim}, device);
    return;
  }
  const int64_t page = c.page_size;
  if (nhd) check_tensor(name, tensor, c.dtype_kv, {kAnySize, page, heads, head_dim}, device);
  if (!nhd) check_tensor(name, tensor, c.dtype_kv, {kAnySize, heads, page, head_dim}, device);
  if (plan.max_page_id >= tensor.shape[0]) {
    fail(ErrorKind::invalid_argument, "kv_indices",
         "page ids below " + std::string(name) + ".shape[0] = " + std::to_string(tensor.shape[0]),
         std::to_string(plan.max_page_id));
  }
}

// MaskMode custom: a bit for each (query, key); tree: for each (query, query).
int64_t mask_bytes(const AttentionConfig& c, const BatchLengths& lengths, int32_t r) {
  const int64_t qo_len = lengths.qo_len(r);
  const int64_t columns = c.mask == MaskMode::custom ? lengths.kv_len(r) : qo_len;
  return ceil_div<int64_t>(qo_len * columns, 8);
}

void check_mask(const detail::AttentionPlanImpl& plan, const AttentionArgs& args) {
  const AttentionConfig& c = plan.config;
  const bool wanted = c.mask == MaskMode::custom || c.mask == MaskMode::tree;
  if (!wanted) {
    if (args.custom_mask.given() || args.mask_indptr.given()) {
      fail(ErrorKind::invalid_argument, args.custom_mask.given() ? "custom_mask" : "mask_indptr",
           std::string("nothing with config.mask = ") + name_of(c.mask), "a tensor");
    }
    return;
  }
  const int32_t n = plan.batch_size;
  const Device device = plan.device();
  check_tensor("mask_indptr", args.mask_indptr, DType::i32, {at_least(n + 1)}, device);
  check_tensor("custom_mask", args.custom_mask, DType::u8, {kAnySize}, device);
  if (device != kCpu) return;  // not to be read here; checked mode has the device read it
  const int32_t* indptr = ints(args.mask_indptr);
  for (int32_t r = 0; r < n; ++r) {
    const int64_t end = indptr[r] + mask_bytes(c, plan.lengths, r);
    if (indptr[r] >= 0 && end <= args.custom_mask.shape[0]) continue;
    fail(ErrorKind::invalid_argument, "mask_indptr",
         element("mask_indptr", r) + " with " + std::to_string(mask_bytes(c, plan.lengths, r)) +
             " bytes inside custom_mask of " + std::to_string(args.custom_mask.shape[0]),
         std::to_string(indptr[r]));
  }
}

void check_finite(const char* name, float value) {
  if (!std::isfinite(value)) {
    fail(ErrorKind::invalid_argument, name, "a finite number", std::to_string(value));
  }
}

void check_scalars(const AttentionArgs& args) {
  if (args.sm_scale) check_finite("sm_scale", *args.sm_scale);
  check_finite("k_scale", args.k_scale);
  check_finite("v_scale", args.v_scale);
  check_finite("logits_soft_cap", args.logits_soft_cap);
  // Below, its reciprocal is no number.
  if (args.logits_soft_cap < 0.0f ||
      (args.logits_soft_cap > 0.0f && args.logits_soft_cap < 1e-37f)) {
    fail(ErrorKind::invalid_argument, "logits_soft_cap", "0 (off) or at least 1e-37",
         std::to_string(args.logits_soft_cap));
  }
  check_range("window_left", args.window_left, -1, INT32_MAX);
}

void check_ragged_lengths(const CheckedBatch& checked) {
  if (checked.nnz_kv <= kMostTokens) return;
  for (int32_t r = 0; r < checked.batch_size; ++r) {
    if (checked.lengths.kv_len(r) <= kMostTokens) continue;
    fail(ErrorKind::out_of_limits, "kv_indptr",
         "at most " + std::to_string(kMostTokens) + " tokens in a request",
         std::to_string(checked.lengths.kv_len(r)));
  }
}

TensorView workspace_of(const detail::AttentionPlanImpl& plan) {
  return TensorView(plan.base, DType::u8, {static_cast<int64_t>(plan.layout.bytes)});
}

// Items run in any order: what an output overwrote might be read after.
void check_overlap(const detail::AttentionPlanImpl& plan, const AttentionArgs& args) {
  const int64_t n = plan.batch_size;
  const bool paged = plan.lengths.page_size > 0;
  const TensorView qo_indptr(plan.lengths.qo_indptr, DType::i32, {n + 1});
  const TensorView kv_indptr(plan.lengths.kv_indptr, DType::i32, {n + 1});
  const TensorView kv_indices(plan.kv_indices, DType::i32, {paged ? plan.nnz_kv : 0});
  const TensorView last_page_len(plan.lengths.last_page_len, DType::i32, {paged ? n : 0});
  const TensorView workspace = workspace_of(plan);
  check_apart({extent_of("o", args.o), extent_of("lse", args.lse)},
              {extent_of("q", args.q), extent_of("k", args.k), extent_of("v", args.v),
               extent_of("k_scales", args.k_scales), extent_of("v_scales", args.v_scales),
               extent_of("sink", args.sink), extent_of("alibi_slopes", args.alibi_slopes),
               extent_of("custom_mask", args.custom_mask),
               extent_of("mask_indptr", args.mask_indptr), extent_of("qo_indptr", qo_indptr),
               extent_of("kv_indptr", kv_indptr), extent_of("kv_indices", kv_indices),
               extent_of("last_page_len", last_page_len), extent_of("workspace", workspace)});
}

// Costs of a lane are summed in int64. Only absurd batches come near: 2^62 ns are 146 years. The
// first line is an upper bound from counts alone, so that no other batch is walked.
void check_cost(const ScheduleSpec& s, const CheckedBatch& checked) {
  constexpr double kMost = 0x1p62;
  const double heads = s.heads_per_lane;
  const auto cost = [&](double rows, double kv_len) {
    return rows * heads * (s.cost.fixed + (kv_len / s.kv_tile + 1) * block_cost(s.cost, 1));
  };
  if (cost(static_cast<double>(checked.nnz_qo) * s.group_size, kMostTokens) < kMost) return;
  double total = 0;
  for (int32_t r = 0; r < checked.batch_size; ++r) {
    total += cost(static_cast<double>(checked.lengths.qo_len(r)) * s.group_size,
                  checked.lengths.kv_len(r));
  }
  if (total < kMost) return;
  fail(ErrorKind::out_of_limits, "qo_indptr", "work below 2^62 ns by the cost model",
       std::to_string(total));
}

}  // namespace

CheckedBatch check_attention_tensors(const AttentionConfig& config, const AttentionBatch& batch,
                                     Device device) {
  CheckedBatch checked;
  check_tensor("qo_indptr", batch.qo_indptr, DType::i32, {at_least(1)}, device);
  const int64_t batch_size = batch.qo_indptr.shape[0] - 1;
  if (batch_size > config.max_batch_size) {
    fail(ErrorKind::out_of_limits, "qo_indptr",
         "at most max_batch_size = " + std::to_string(config.max_batch_size) + " requests",
         std::to_string(batch_size));
  }
  check_tensor("kv_indptr", batch.kv_indptr, DType::i32, {batch_size + 1}, device);
  checked.batch_size = static_cast<int32_t>(batch_size);
  checked.lengths.qo_indptr = ints(batch.qo_indptr);
  checked.lengths.kv_indptr = ints(batch.kv_indptr);
  checked.lengths.page_size = config.page_size;
  if (config.page_size > 0) {
    check_tensor("kv_indices", batch.kv_indices, DType::i32, {kAnySize}, device);
    check_tensor("last_page_len", batch.last_page_len, DType::i32, {batch_size}, device);
    checked.lengths.last_page_len = ints(batch.last_page_len);
    checked.kv_indices = ints(batch.kv_indices);
  } else if (batch.kv_indices.given() || batch.last_page_len.given()) {
    fail(ErrorKind::invalid_argument, batch.kv_indices.given() ? "kv_indices" : "last_page_len",
         "nothing with ragged KV (config.page_size = 0)", "a tensor");
  }
  return checked;
}

CheckedBatch check_attention_batch(const AttentionConfig& config, const AttentionBatch& batch) {
  CheckedBatch checked = check_attention_tensors(config, batch, kCpu);
  checked.nnz_qo = check_indptr("qo_indptr", batch.qo_indptr, checked.batch_size);
  if (checked.nnz_qo > config.max_nnz_qo) {
    fail(ErrorKind::out_of_limits, "qo_indptr",
         "at most max_nnz_qo = " + std::to_string(config.max_nnz_qo) + " query tokens",
         std::to_string(checked.nnz_qo));
  }
  checked.nnz_kv = check_indptr("kv_indptr", batch.kv_indptr, checked.batch_size);
  if (config.page_size == 0) check_ragged_lengths(checked);
  if (config.page_size > 0) check_page_tables(config, batch, checked);
  return checked;
}

void check_attention_cost(const CheckedBatch& checked, const detail::AttentionPlanImpl& plan) {
  check_cost(plan.spec.schedule, checked);
}

void check_attention_apart(const AttentionBatch& batch, const detail::AttentionPlanImpl& plan) {
  const TensorView workspace = workspace_of(plan);
  check_apart(
      {extent_of("workspace", workspace)},
      {extent_of("qo_indptr", batch.qo_indptr), extent_of("kv_indptr", batch.kv_indptr),
       extent_of("kv_indices", batch.kv_indices), extent_of("last_page_len", batch.last_page_len)});
}

void check_attention_args(const detail::AttentionPlanImpl& plan, const AttentionArgs& args) {
  const AttentionConfig& c = plan.config;
  if (!plan.planned) {
    fail(ErrorKind::invalid_argument, "plan", "a plan that holds a batch", "one never planned");
  }
  const int64_t heads = c.num_qo_heads;
  const Device device = plan.device();
  check_tensor("q", args.q, c.dtype_q, {at_least(plan.nnz_qo), heads, c.head_dim_qk}, device);
  check_cache("k", args.k, c, c.head_dim_qk, plan);
  check_cache("v", args.v, c, c.head_dim_vo, plan);
  if (c.page_size > 0 && args.v.shape[0] != args.k.shape[0]) {
    fail(ErrorKind::invalid_argument, "v", "as many pages as k, " + std::to_string(args.k.shape[0]),
         std::to_string(args.v.shape[0]));
  }
  check_output("o", args.o, c.dtype_o, {at_least(plan.nnz_qo), heads, c.head_dim_vo}, device);
  if (args.lse.given()) {
    check_output("lse", args.lse, DType::f32, {at_least(plan.nnz_qo), heads}, device);
  }
  check_optional("k_scales", args.k_scales, DType::f32, {c.num_kv_heads}, device);
  check_optional("v_scales", args.v_scales, DType::f32, {c.num_kv_heads}, device);
  check_optional("sink", args.sink, DType::f32, {heads}, device);
  check_optional("alibi_slopes", args.alibi_slopes, DType::f32, {heads}, device);
  check_scalars(args);
  check_mask(plan, args);
  check_overlap(plan, args);
}

}  // namespace weft
