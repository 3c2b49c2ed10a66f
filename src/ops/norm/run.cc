// SPDX-License-Identifier: Apache-2.0
// The public Norm: check, bind, hand over. Nothing is decided here.
#include "src/base/check.h"
#include "src/cpu/rows.h"
#include "src/ops/norm/rooms.h"

namespace weft {

NormParams bind_norm(const NormConfig& c, const NormArgs& args) {
  NormParams p{};
  const bool heads = c.num_heads > 0;
  p.x = args.x.data, p.residual = args.residual.data, p.out = args.out.data;
  p.weight = args.weight.data, p.bias = args.bias.data;
  p.x_stride_token = args.x.strides[0], p.out_stride_token = args.out.strides[0];
  p.residual_stride_token = args.residual.strides[0];
  if (heads) {
    p.x_stride_head = args.x.strides[1], p.out_stride_head = args.out.strides[1];
    p.residual_stride_head = args.residual.strides[1];
    if (args.weight.ndim == 2) p.weight_stride_head = args.weight.strides[0];
    if (args.bias.ndim == 2) p.bias_stride_head = args.bias.strides[0];
  }
  p.n = args.x.shape[0];
  p.num_heads = max_of(1, c.num_heads);
  p.eps = c.eps;
  p.weight_offset = c.weight_offset;
  p.scale = 1.0f / args.scale;
  p.scales = static_cast<const float*>(args.scales.data);
  return p;
}

Norm::Norm(const NormConfig& config, const Target& target) {
  auto impl = std::make_shared<detail::NormImpl>();
  impl->config = checked_config(config);
  impl->target = target;
  impl->spec = select_norm(impl->config, target);
  impl_ = std::move(impl);
}

Norm::Norm(const NormConfig& config, const CudaBackend& backend) {
  auto impl = std::make_shared<detail::NormImpl>();
  impl->config = checked_config(config);
  impl->target = backend.target();
  impl->cuda = prepare_norm_cuda(impl->config, backend);
  impl_ = std::move(impl);
}

const NormConfig& Norm::config() const { return alive("norm", impl_).config; }

std::string Norm::explain() const {
  const auto& impl = alive("norm", impl_);
  return to_string(impl.config) + "\n" +
         (impl.cuda ? explain_norm_cuda(*impl.cuda)
                    : explain_row_unit(impl.spec.unit, impl.target));
}

void Norm::run(const NormArgs& args, const Executor& executor) const {
  const detail::NormImpl& impl = alive("norm", impl_);
  check_norm_args(impl.config, device_of(impl.target), args);
  if (args.x.shape[0] == 0) return;
  const NormParams params = bind_norm(impl.config, args);
  if (impl.cuda != nullptr) return run_norm_cuda(*impl.cuda, args, params, executor);
  run_norm_cpu(impl.spec, params, executor);
}

}  // namespace weft
