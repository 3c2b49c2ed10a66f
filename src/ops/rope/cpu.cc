// SPDX-License-Identifier: Apache-2.0
// rope on the CPU: tokens in parallel, the heads of a token by one row kernel.
#include <algorithm>

#include "src/cpu/parallel_rows.h"
#include "src/ops/rope/rooms.h"

namespace weft {
namespace {

class TokenRange {
 public:
  TokenRange(const RopeSpec& spec, const RopeParams& params)
      : spec_(spec),
        p_(params),
        rows_(row_table(spec.unit)),
        kernel_(rows_.kernel(spec.dtype, spec.dtype, spec.rope.mode)),
        source_{.rows = &rows_,
                .mode = spec.rope.mode,
                .dim = spec.rope.dim,
                .turns = params.turns,
                .cache = params.cos_sin_cache,
                .cache_stride = params.cache_stride} {}

  void run(int64_t begin, int64_t end) const {
    RotationBuffer buffer;
    int32_t request = p_.indptr == nullptr ? 0 : request_of(p_.indptr, p_.batch_size, begin);
    for (int64_t t = begin; t < end; ++t) {
      if (p_.indptr != nullptr) {
        while (t >= p_.indptr[request + 1]) ++request;
      }
      const Rotation rotation = rotation_at(source_, rope_position(p_, t, request), buffer);
      rotate(p_.q, p_.q_stride_token, p_.q_stride_head, p_.q_out, p_.q_out_stride_token,
             p_.q_out_stride_head, spec_.num_qo_heads, t, rotation);
      rotate(p_.k, p_.k_stride_token, p_.k_stride_head, p_.k_out, p_.k_out_stride_token,
             p_.k_out_stride_head, spec_.num_kv_heads, t, rotation);
    }
  }

 private:
  void rotate(const void* in, int64_t in_token, int64_t in_head, void* out, int64_t out_token,
              int64_t out_head, int num_heads, int64_t t, Rotation rotation) const {
    if (num_heads == 0) return;
    const int64_t size = size_of(spec_.dtype);
    kernel_({.in = static_cast<const char*>(in) + t * in_token * size,
             .out = static_cast<char*>(out) + t * out_token * size,
             .in_stride = in_head * size,
             .out_stride = out_head * size,
             .num_heads = num_heads,
             .head_dim = spec_.head_dim,
             .rotated_dim = spec_.rope.dim,
             .rotation = rotation,
             .scale = 1.0f,
             .scales = nullptr,
             .norm = nullptr});
  }

  const RopeSpec& spec_;
  const RopeParams& p_;
  const RowTable& rows_;
  const RowKernel kernel_;
  const RotationSource source_;
};

}  // namespace

void run_rope_cpu(const RopeSpec& spec, const RopeParams& params, const Executor& executor) {
  const TokenRange tokens(spec, params);
  const int64_t heads = spec.num_qo_heads + spec.num_kv_heads;
  const int64_t bytes = 2 * heads * spec.head_dim * size_of(spec.dtype);
  parallel_rows(executor, params.nnz, bytes,
                [&](int64_t begin, int64_t end) { tokens.run(begin, end); });
}

}  // namespace weft
