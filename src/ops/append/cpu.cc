// SPDX-License-Identifier: Apache-2.0
// append on the CPU: tokens in parallel, the heads of a token by one row kernel each for k, v and
// q.
#include "src/cpu/parallel_rows.h"
#include "src/ops/append/rooms.h"

namespace weft {
namespace {

class TokenRange {
 public:
  TokenRange(const AppendSpec& spec, const AppendParams& params)
      : spec_(spec),
        p_(params),
        rows_(row_table(spec.unit)),
        k_kernel_(rows_.kernel(spec.dtype, spec.dtype_kv, spec.rope.mode)),
        v_kernel_(rows_.kernel(spec.dtype, spec.dtype_kv, RopeMode::none)),
        q_kernel_(rows_.kernel(spec.dtype, spec.dtype_q_out, spec.rope.mode)),
        source_{.rows = &rows_,
                .mode = spec.rope.mode,
                .dim = spec.rope.dim,
                .turns = params.turns,
                .cache = params.cos_sin_cache,
                .cache_stride = params.cache_stride},
        k_norm_{params.k_weight, params.norm_weight_offset, params.norm_eps},
        q_norm_{params.q_weight, params.norm_weight_offset, params.norm_eps} {}

  void run(int64_t begin, int64_t end) const {
    RotationBuffer buffer;
    for (int64_t t = begin; t < end; ++t) {
      const AppendSlot slot = append_slot(p_, spec_.page_size, t);
      const Rotation rotation = rotation_at(source_, append_rope_position(p_, t), buffer);
      write_k(t, slot, rotation);
      write_v(t, slot);
      if (spec_.num_qo_heads > 0) write_q(t, rotation);
    }
  }

 private:
  void write_k(int64_t t, AppendSlot slot, Rotation rotation) const {
    const int64_t in = size_of(spec_.dtype), out = size_of(spec_.dtype_kv);
    const int64_t at = slot.page * p_.k_cache_stride_page + slot.row * p_.k_cache_stride_token;
    k_kernel_({.in = static_cast<const char*>(p_.k) + t * p_.k_stride_token * in,
               .out = static_cast<char*>(p_.k_cache) + at * out,
               .in_stride = p_.k_stride_head * in,
               .out_stride = p_.k_cache_stride_head * out,
               .num_heads = spec_.num_kv_heads,
               .head_dim = spec_.head_dim_qk,
               .rotated_dim = spec_.rope.dim,
               .rotation = rotation,
               .scale = p_.k_scale,
               .scales = p_.k_scales,
               .norm = p_.k_weight == nullptr ? nullptr : &k_norm_});
  }

  void write_v(int64_t t, AppendSlot slot) const {
    const int64_t in = size_of(spec_.dtype), out = size_of(spec_.dtype_kv);
    const int64_t at = slot.page * p_.v_cache_stride_page + slot.row * p_.v_cache_stride_token;
    v_kernel_({.in = static_cast<const char*>(p_.v) + t * p_.v_stride_token * in,
               .out = static_cast<char*>(p_.v_cache) + at * out,
               .in_stride = p_.v_stride_head * in,
               .out_stride = p_.v_cache_stride_head * out,
               .num_heads = spec_.num_kv_heads,
               .head_dim = spec_.head_dim_vo,
               .rotated_dim = 0,
               .rotation = {},
               .scale = p_.v_scale,
               .scales = p_.v_scales,
               .norm = nullptr});
  }

  void write_q(int64_t t, Rotation rotation) const {
    const int64_t in = size_of(spec_.dtype), out = size_of(spec_.dtype_q_out);
    q_kernel_({.in = static_cast<const char*>(p_.q) + t * p_.q_stride_token * in,
               .out = static_cast<char*>(p_.q_out) + t * p_.q_out_stride_token * out,
               .in_stride = p_.q_stride_head * in,
               .out_stride = p_.q_out_stride_head * out,
               .num_heads = spec_.num_qo_heads,
               .head_dim = spec_.head_dim_qk,
               .rotated_dim = spec_.rope.dim,
               .rotation = rotation,
               .scale = p_.q_scale,
               .scales = nullptr,
               .norm = p_.q_weight == nullptr ? nullptr : &q_norm_});
  }

  const AppendSpec& spec_;
  const AppendParams& p_;
  const RowTable& rows_;
  const RowKernel k_kernel_, v_kernel_, q_kernel_;
  const RotationSource source_;
  const RowNorm k_norm_, q_norm_;
};

}  // namespace

void run_append_cpu(const AppendSpec& spec, const AppendParams& params, const Executor& executor) {
  const TokenRange tokens(spec, params);
  const int64_t kv = int64_t{spec.num_kv_heads} * (spec.head_dim_qk + spec.head_dim_vo);
  const int64_t q = int64_t{spec.num_qo_heads} * spec.head_dim_qk;
  const int64_t bytes = kv * (size_of(spec.dtype) + size_of(spec.dtype_kv)) +
                        q * (size_of(spec.dtype) + size_of(spec.dtype_q_out));
  parallel_rows(executor, params.nnz, bytes,
                [&](int64_t begin, int64_t end) { tokens.run(begin, end); });
}

}  // namespace weft
