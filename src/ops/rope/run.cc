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

RopeOp::RopeOp(const RopeConfig& config, const CudaBackend& backend) {
  auto impl = std::make_shared<detail::RopeImpl>();
  impl->config = checked_config(config);
  impl->target = backend.target();
  impl->turns = make_turns(impl->config.rope);
  impl->cuda = prepare_rope_cuda(impl->config, backend, impl->turns);
  impl_ = std::move(impl);
}

const RopeConfig& RopeOp::config() const { return alive("rope", impl_).config; }

std::string RopeOp::explain() const {
  const auto& impl = alive("rope", impl_);
  return to_string(impl.config) + "\n" +
         (impl.cuda ? explain_rope_cuda(*impl.cuda)
                    : explain_row_unit(impl.spec.unit, impl.target)) +
         "angles: frequencies as 64-bit fractions of a turn, or the caller's cos_sin_cache\n";
}

void RopeOp::run(const RopeArgs& args, const Executor& executor) const {
  const detail::RopeImpl& impl = alive("rope", impl_);
  check_rope_args(impl.config, device_of(impl.target), args);
  if (args.q.shape[0] == 0) return;
  if (impl.cuda != nullptr) {
    run_rope_cuda(*impl.cuda, impl.config, args, bind_rope(impl, args), executor);
  } else {
    run_rope_cpu(impl.spec, bind_rope(impl, args), executor);
  }
}

void RopeOp::check(const Executor& executor) const {
  if (alive("rope", impl_).cuda != nullptr) check_rope_cuda(*impl_->cuda, executor);
}

}  // namespace weft
