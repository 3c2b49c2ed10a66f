// SPDX-License-Identifier: Apache-2.0
// The public RopeOp: check, bind, hand over. Nothing is decided here.
#include "src/base/check.h"
#include "src/ops/rope/rooms.h"

namespace weft {
namespace {

RopeParams bind_rope(const detail::RopeImpl& impl, const RopeArgs& args) {
  RopeParams p{};
  p.q = args.q.data, p.k = args.k.data;
  p.q_out = args.q_out.data, p.k_out = args.k_out.data;
  p.q_stride_token = args.q.strides[0], p.q_stride_head = args.q.strides[1];
  p.k_stride_token = args.k.strides[0], p.k_stride_head = args.k.strides[1];
  p.q_out_stride_token = args.q_out.strides[0], p.q_out_stride_head = args.q_out.strides[1];
  p.k_out_stride_token = args.k_out.strides[0], p.k_out_stride_head = args.k_out.strides[1];
  p.nnz = args.q.shape[0];
  if (args.positions.dtype == DType::i32) {
    p.positions_i32 = static_cast<const int32_t*>(args.positions.data);
  } else if (args.positions.dtype == DType::i64) {
    p.positions_i64 = static_cast<const int64_t*>(args.positions.data);
  } else {
    p.indptr = static_cast<const int32_t*>(args.indptr.data);
    p.offsets = static_cast<const int32_t*>(args.offsets.data);
    p.batch_size = static_cast<int32_t>(args.offsets.shape[0]);
  }
  p.cos_sin_cache = static_cast<const float*>(args.cos_sin_cache.data);
  p.cache_stride = args.cos_sin_cache.strides[0];
  p.turns = impl.turns.turns;
  return p;
}

}  // namespace

RopeOp::RopeOp(const RopeConfig& config, const Target& target) {
  auto impl = std::make_shared<detail::RopeImpl>();
  impl->config = checked_config(config);
  impl->target = target;
  impl->spec = select_rope(impl->config, target);
  impl->turns = make_turns(impl->config.rope);
  impl_ = std::move(impl);
}

const RopeConfig& RopeOp::config() const { return alive("rope", impl_).config; }

std::string RopeOp::explain() const {
  const auto& impl = alive("rope", impl_);
  return to_string(impl.config) + "\n" + explain_row_unit(impl.spec.unit, impl.target) +
         "angles: frequencies as 64-bit fractions of a turn, or the caller's cos_sin_cache\n";
}

void RopeOp::run(const RopeArgs& args, const Executor& executor) const {
  check_rope_args(alive("rope", impl_).config, args);
  if (args.q.shape[0] == 0) return;
  run_rope_cpu(impl_->spec, bind_rope(*impl_, args), executor);
}

}  // namespace weft
