// SPDX-License-Identifier: Apache-2.0
// The public Activation: check, bind, hand over. Nothing is decided here.
#include "src/base/check.h"
#include "src/cpu/rows.h"
#include "src/ops/activation/rooms.h"

namespace weft {

ActivationParams bind_activation(const ActivationConfig& config, const ActivationArgs& args) {
  ActivationParams p{};
  p.gate = gate_of(config, args).data, p.up = up_of(config, args).data;
  p.out = args.out.data;
  p.x_stride = args.x.strides[0], p.out_stride = args.out.strides[0];
  p.n = args.x.shape[0];
  p.scale = 1.0f / args.scale;
  p.scales = static_cast<const float*>(args.scales.data);
  return p;
}

Activation::Activation(const ActivationConfig& config, const Target& target) {
  auto impl = std::make_shared<detail::ActivationImpl>();
  impl->config = checked_config(config);
  impl->target = target;
  impl->spec = select_activation(impl->config, target);
  impl_ = std::move(impl);
}

Activation::Activation(const ActivationConfig& config, const CudaBackend& backend) {
  auto impl = std::make_shared<detail::ActivationImpl>();
  impl->config = checked_config(config);
  impl->target = backend.target();
  impl->cuda = prepare_activation_cuda(impl->config, backend);
  impl_ = std::move(impl);
}

const ActivationConfig& Activation::config() const { return alive("activation", impl_).config; }

std::string Activation::explain() const {
  const auto& impl = alive("activation", impl_);
  return to_string(impl.config) + "\n" +
         (impl.cuda ? explain_activation_cuda(*impl.cuda)
                    : explain_row_unit(impl.spec.unit, impl.target));
}

void Activation::run(const ActivationArgs& args, const Executor& executor) const {
  const detail::ActivationImpl& impl = alive("activation", impl_);
  check_activation_args(impl.config, device_of(impl.target), args);
  if (args.x.shape[0] == 0) return;
  const ActivationParams params = bind_activation(impl.config, args);
  if (impl.cuda == nullptr) return run_activation_cpu(impl.spec, params, executor);
  run_activation_cuda(*impl.cuda, impl.config, args, params, executor);
}

}  // namespace weft
