// SPDX-License-Identifier: Apache-2.0
// Everything append refuses, before anything is written. The passing path allocates nothing.
#include "src/base/check.h"

#include "kernels/core/rope.h"
#include "src/base/overlap.h"
#include "src/ops/append/rooms.h"

namespace weft {
namespace {

const int32_t* ints(const TensorView& tensor) { return static_cast<const int32_t*>(tensor.data); }

[[noreturn]] void refuse(const char* name, int64_t i, const std::string& bound, int64_t got) {
  fail(ErrorKind::invalid_argument, name, "0 <= " + element(name, i) + " < " + bound,
       std::to_string(got));
}

// Contents are checked where the host can read them; a GPU's kernel does it itself.
bool reads(const AppendConfig& c, Device device) {
  return c.checked && device.type == DeviceType::cpu;
}

void check_cache(const char* name, const TensorView& tensor, const AppendConfig& c, int head_dim,
                 int64_t num_pages, Device device) {
  const int64_t page = c.page_size, heads = c.num_kv_heads;
  if (c.kv_layout == KvLayout::nhd) {
    check_output(name, tensor, c.dtype_kv, {num_pages, page, heads, head_dim}, device);
  } else {
    check_output(name, tensor, c.dtype_kv, {num_pages, heads, page, head_dim}, device);
  }
}

// Trusted with checked = false.
void check_head_scales(const char* name, const TensorView& tensor, const AppendConfig& c,
                       Device device) {
  if (!tensor.given()) return;
  if (reads(c, device)) return check_scales(name, tensor, c.num_kv_heads, device);
  check_tensor(name, tensor, DType::f32, {c.num_kv_heads}, device);
}

void check_q(const AppendConfig& c, Device device, const AppendArgs& args, int64_t nnz) {
  if (c.num_qo_heads == 0) {
    refuse_given("q", args.q, "with num_qo_heads = 0");
    refuse_given("q_out", args.q_out, "with num_qo_heads = 0");
    return;
  }
  check_tensor("q", args.q, c.dtype, {nnz, c.num_qo_heads, c.head_dim_qk}, device);
  check_output("q_out", args.q_out, c.dtype_q_out, {nnz, c.num_qo_heads, c.head_dim_qk}, device);
}

void check_weights(const AppendConfig& c, Device device, const AppendArgs& args) {
  if (c.qk_norm) {
    check_tensor("k_weight", args.k_weight, c.dtype, {c.head_dim_qk}, device);
  } else {
    refuse_given("k_weight", args.k_weight, "without qk_norm");
  }
  if (c.qk_norm && c.num_qo_heads > 0) {
    check_tensor("q_weight", args.q_weight, c.dtype, {c.head_dim_qk}, device);
  } else {
    refuse_given("q_weight", args.q_weight, "without qk_norm and q");
  }
  check_scale("q_scale", args.q_scale);
}

void check_overlap(const AppendArgs& args) {
  const Extent k_cache = extent_of("k_cache", args.k_cache);
  const Extent v_cache = extent_of("v_cache", args.v_cache);
  const Extent q = extent_of("q", args.q), q_out = extent_of("q_out", args.q_out);
  check_apart(
      {k_cache, v_cache, q_out},
      {extent_of("k", args.k), extent_of("v", args.v),
       extent_of("batch_indices", args.batch_indices), extent_of("positions", args.positions),
       extent_of("kv_indptr", args.kv_indptr), extent_of("kv_indices", args.kv_indices),
       extent_of("k_scales", args.k_scales), extent_of("v_scales", args.v_scales),
       extent_of("rope_positions", args.rope_positions), extent_of("k_weight", args.k_weight),
       extent_of("q_weight", args.q_weight), extent_of("cos_sin_cache", args.cos_sin_cache)});
  check_apart({k_cache, v_cache}, {q});
  if (!is_same_view(args.q, args.q_out)) check_apart({q_out}, {q});
}

// Pages that the batch may use: kv_indptr within kv_indices. Ids are checked where they are used.
void check_page_table(const AppendArgs& args) {
  const int32_t* indptr = ints(args.kv_indptr);
  const int64_t batch_size = args.kv_indptr.shape[0] - 1;
  if (indptr[0] < 0) {
    fail(ErrorKind::invalid_argument, "kv_indptr", "kv_indptr[0] >= 0", std::to_string(indptr[0]));
  }
  for (int64_t r = 0; r < batch_size; ++r) {
    if (indptr[r + 1] >= indptr[r]) continue;
    fail(ErrorKind::invalid_argument, "kv_indptr",
         "non-decreasing, " + element("kv_indptr", r + 1) + " >= " + std::to_string(indptr[r]),
         std::to_string(indptr[r + 1]));
  }
  if (indptr[batch_size] > args.kv_indices.shape[0]) {
    fail(ErrorKind::invalid_argument, "kv_indices",
         "at least kv_indptr[-1] = " + std::to_string(indptr[batch_size]) + " elements",
         std::to_string(args.kv_indices.shape[0]));
  }
}

void check_slots(const AppendConfig& c, const AppendArgs& args, int64_t nnz) {
  const int32_t *indptr = ints(args.kv_indptr), *indices = ints(args.kv_indices);
  const int32_t *requests = ints(args.batch_indices), *positions = ints(args.positions);
  const int64_t batch_size = args.kv_indptr.shape[0] - 1, num_pages = args.k_cache.shape[0];
  for (int64_t t = 0; t < nnz; ++t) {
    const int32_t r = requests[t];
    if (r < 0 || r >= batch_size) {
      refuse("batch_indices", t, "batch_size = " + std::to_string(batch_size), r);
    }
    const int64_t pages = indptr[r + 1] - indptr[r];
    if (positions[t] < 0 || positions[t] / c.page_size >= pages) {
      refuse("positions", t,
             std::to_string(pages * c.page_size) + " (" + std::to_string(pages) +
                 " pages of request " + std::to_string(r) + ")",
             positions[t]);
    }
    const int64_t i = indptr[r] + positions[t] / c.page_size;
    if (indices[i] < 0 || indices[i] >= num_pages) {
      refuse("kv_indices", i, "num_pages = " + std::to_string(num_pages), indices[i]);
    }
  }
}

template <class T>
void check_angles(const char* name, const TensorView& tensor, int64_t limit) {
  const T* positions = static_cast<const T*>(tensor.data);
  for (int64_t t = 0; t < tensor.shape[0]; ++t) {
    if (positions[t] >= 0 && positions[t] < limit) continue;
    refuse(name, t, std::to_string(limit) + " (the positions with an angle)", positions[t]);
  }
}

void check_rotation(const AppendConfig& c, Device device, const AppendArgs& args, int64_t nnz) {
  if (c.rope.mode == RopeMode::none) {
    refuse_given("rope_positions", args.rope_positions, "without a rope");
    refuse_given("cos_sin_cache", args.cos_sin_cache, "without a rope");
    return;
  }
  int64_t limit = kMaxRopePosition + int64_t{1};
  if (args.cos_sin_cache.given()) {
    check_tensor("cos_sin_cache", args.cos_sin_cache, DType::f32, {kAnySize, c.rope.dim}, device);
    limit = min_of(limit, args.cos_sin_cache.shape[0]);
  }
  if (!args.rope_positions.given()) {
    if (reads(c, device)) check_angles<int32_t>("positions", args.positions, limit);
    return;
  }
  const DType dtype = args.rope_positions.dtype == DType::i64 ? DType::i64 : DType::i32;
  check_tensor("rope_positions", args.rope_positions, dtype, {nnz}, device);
  if (!reads(c, device)) return;
  if (dtype == DType::i32) check_angles<int32_t>("rope_positions", args.rope_positions, limit);
  if (dtype == DType::i64) check_angles<int64_t>("rope_positions", args.rope_positions, limit);
}

}  // namespace

void check_append_args(const AppendConfig& c, Device device, const AppendArgs& args) {
  check_tensor("k", args.k, c.dtype, {kAnySize, c.num_kv_heads, c.head_dim_qk}, device);
  const int64_t nnz = args.k.shape[0];
  check_tensor("v", args.v, c.dtype, {nnz, c.num_kv_heads, c.head_dim_vo}, device);
  check_tensor("batch_indices", args.batch_indices, DType::i32, {nnz}, device);
  check_tensor("positions", args.positions, DType::i32, {nnz}, device);
  check_tensor("kv_indptr", args.kv_indptr, DType::i32, {at_least(1)}, device);
  check_tensor("kv_indices", args.kv_indices, DType::i32, {kAnySize}, device);
  check_cache("k_cache", args.k_cache, c, c.head_dim_qk, kAnySize, device);
  check_cache("v_cache", args.v_cache, c, c.head_dim_vo, args.k_cache.shape[0], device);
  check_scale("k_scale", args.k_scale);
  check_scale("v_scale", args.v_scale);
  check_head_scales("k_scales", args.k_scales, c, device);
  check_head_scales("v_scales", args.v_scales, c, device);
  check_q(c, device, args, nnz);
  if (reads(c, device)) {
    check_page_table(args);
    check_slots(c, args, nnz);
  }
  check_rotation(c, device, args, nnz);
  check_weights(c, device, args);
  check_overlap(args);  // of tensors that are all known to be sound
}

}  // namespace weft
