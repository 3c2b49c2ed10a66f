// SPDX-License-Identifier: Apache-2.0
// Everything rope refuses, before anything is written. The passing path allocates nothing.
#include "src/base/check.h"

#include "kernels/core/rope.h"
#include "src/base/overlap.h"
#include "src/ops/rope/rooms.h"

namespace weft {
namespace {

template <class T>
void check_positions(const TensorView& tensor, int64_t limit) {
  const T* positions = static_cast<const T*>(tensor.data);
  for (int64_t t = 0; t < tensor.shape[0]; ++t) {
    if (positions[t] >= 0 && positions[t] < limit) continue;
    fail(ErrorKind::invalid_argument, "positions",
         "0 <= " + element("positions", t) + " < " + std::to_string(limit),
         std::to_string(positions[t]));
  }
}

// indptr from 0 to nnz, never decreasing: token -> request has to be defined, checked or not.
void check_indptr(const TensorView& tensor, int64_t nnz) {
  const int32_t* indptr = static_cast<const int32_t*>(tensor.data);
  const int64_t batch_size = tensor.shape[0] - 1;
  if (indptr[0] != 0) {
    fail(ErrorKind::invalid_argument, "indptr", "first element 0", std::to_string(indptr[0]));
  }
  for (int64_t r = 0; r < batch_size; ++r) {
    if (indptr[r + 1] >= indptr[r]) continue;
    fail(ErrorKind::invalid_argument, "indptr",
         "non-decreasing, " + element("indptr", r + 1) + " >= " + std::to_string(indptr[r]),
         std::to_string(indptr[r + 1]));
  }
  if (indptr[batch_size] != nnz) {
    fail(ErrorKind::invalid_argument, "indptr", "last element nnz = " + std::to_string(nnz),
         std::to_string(indptr[batch_size]));
  }
}

void check_offsets(const TensorView& tensor, const TensorView& indptr_tensor, int64_t limit) {
  const int32_t* offsets = static_cast<const int32_t*>(tensor.data);
  const int32_t* indptr = static_cast<const int32_t*>(indptr_tensor.data);
  for (int64_t r = 0; r < tensor.shape[0]; ++r) {
    const int64_t len = indptr[r + 1] - indptr[r];
    if (offsets[r] >= 0 && offsets[r] + len <= limit) continue;
    fail(ErrorKind::invalid_argument, "offsets",
         "0 <= " + element("offsets", r) + " <= " + std::to_string(limit - len) + " (" +
             std::to_string(len) + " tokens, positions below " + std::to_string(limit) + ")",
         std::to_string(offsets[r]));
  }
}

// Contents are read where the host can.
void check_where(const RopeConfig& config, Device device, const RopeArgs& args, int64_t limit) {
  const int64_t nnz = args.q.shape[0];
  const bool reads = device.type == DeviceType::cpu;
  if (args.positions.given()) {
    refuse_given("indptr", args.indptr, "beside positions");
    refuse_given("offsets", args.offsets, "beside positions");
    const DType dtype = args.positions.dtype == DType::i64 ? DType::i64 : DType::i32;
    check_tensor("positions", args.positions, dtype, {nnz}, device);
    if (!reads || !config.checked) return;
    if (dtype == DType::i32) check_positions<int32_t>(args.positions, limit);
    if (dtype == DType::i64) check_positions<int64_t>(args.positions, limit);
    return;
  }
  if (!args.indptr.given()) {
    fail(ErrorKind::invalid_argument, "positions", "positions, or indptr with offsets", "nothing");
  }
  check_tensor("indptr", args.indptr, DType::i32, {at_least(1)}, device);
  check_tensor("offsets", args.offsets, DType::i32, {args.indptr.shape[0] - 1}, device);
  if (!reads) return;
  check_indptr(args.indptr, nnz);
  if (config.checked) check_offsets(args.offsets, args.indptr, limit);
}

// An input and its output, which have one shape.
struct Side {
  const char *name, *out_name;
  const TensorView &in, &out;
  int heads;
};

void check_side(const RopeConfig& config, Device device, int64_t nnz, const Side& side) {
  if (side.heads == 0) {
    refuse_given(side.name, side.in, "with num_kv_heads = 0");
    refuse_given(side.out_name, side.out, "with num_kv_heads = 0");
    return;
  }
  check_tensor(side.name, side.in, config.dtype, {nnz, side.heads, config.head_dim}, device);
  check_output(side.out_name, side.out, config.dtype, {nnz, side.heads, config.head_dim}, device);
}

void check_overlap(const RopeArgs& args) {
  const Extent q = extent_of("q", args.q), q_out = extent_of("q_out", args.q_out);
  const Extent k = extent_of("k", args.k), k_out = extent_of("k_out", args.k_out);
  const Extent positions = extent_of("positions", args.positions);
  const Extent indptr = extent_of("indptr", args.indptr);
  const Extent offsets = extent_of("offsets", args.offsets);
  const Extent cache = extent_of("cos_sin_cache", args.cos_sin_cache);
  check_apart({q_out, k_out}, {positions, indptr, offsets, cache});
  check_apart({q_out}, {k});
  check_apart({k_out}, {q});
  if (!is_same_view(args.q, args.q_out)) check_apart({q_out}, {q});
  if (!is_same_view(args.k, args.k_out)) check_apart({k_out}, {k});
}

}  // namespace

void check_rope_args(const RopeConfig& config, Device device, const RopeArgs& args) {
  check_tensor("q", args.q, config.dtype, {kAnySize, config.num_qo_heads, config.head_dim}, device);
  const int64_t nnz = args.q.shape[0];
  check_side(config, device, nnz, {"q", "q_out", args.q, args.q_out, config.num_qo_heads});
  check_side(config, device, nnz, {"k", "k_out", args.k, args.k_out, config.num_kv_heads});
  int64_t limit = kMaxRopePosition + int64_t{1};
  if (args.cos_sin_cache.given()) {
    check_tensor("cos_sin_cache", args.cos_sin_cache, DType::f32, {kAnySize, config.rope.dim},
                 device);
    limit = min_of(limit, args.cos_sin_cache.shape[0]);
  }
  check_where(config, device, args, limit);
  check_overlap(args);
}

}  // namespace weft
