// SPDX-License-Identifier: Apache-2.0
// The public Sampling: check, bind, hand over. Nothing is decided here.
#include "src/base/check.h"
#include "src/cpu/rows.h"
#include "src/cuda/rows.h"
#include "src/ops/sampling/rooms.h"

namespace weft {
namespace {

template <class Args>
SamplingParams bind_common(const SamplingConfig& config, const Args& args) {
  SamplingParams p{};
  p.input = args.input.data;
  p.input_stride = args.input.strides[0];
  p.num_rows = p.n = args.input.shape[0];
  p.temperature = data_of<float>(args.temperature);
  p.top_k = data_of<int32_t>(args.top_k);
  p.top_p = data_of<float>(args.top_p);
  p.min_p = data_of<float>(args.min_p);
  p.status = static_cast<uint8_t*>(args.status.data);
  p.vocab_size = config.vocab_size;
  p.joint = config.order == FilterOrder::joint;
  return p;
}

}  // namespace

SamplingParams bind_sampling(const SamplingConfig& config, const SamplingArgs& args) {
  SamplingParams p = bind_common(config, args);
  p.indices = data_of<int32_t>(args.indices);
  if (args.indices.given()) p.n = args.indices.shape[0];
  p.seed = data_of<int64_t>(args.seed);
  p.offset = data_of<int64_t>(args.offset);
  p.repetition_penalty = data_of<float>(args.repetition_penalty);
  p.frequency_penalty = data_of<float>(args.frequency_penalty);
  p.presence_penalty = data_of<float>(args.presence_penalty);
  p.prompt_mask = data_of<uint32_t>(args.prompt_mask);
  p.output_counts = data_of<int32_t>(args.output_counts);
  p.bias = data_of<float>(args.bias);
  p.allowed = data_of<uint32_t>(args.allowed);
  p.prompt_mask_stride = args.prompt_mask.strides[0];
  p.output_counts_stride = args.output_counts.strides[0];
  p.bias_stride = args.bias.strides[0];
  p.allowed_stride = args.allowed.strides[0];
  p.token = static_cast<int32_t*>(args.token.data);
  p.logprob = static_cast<float*>(args.logprob.data);
  return p;
}

SamplingParams bind_filter(const SamplingConfig& config, const FilterArgs& args) {
  SamplingParams p = bind_common(config, args);
  const TensorView& output = args.masked.given() ? args.masked : args.probs;
  p.output = output.data;
  p.output_stride = output.strides[0];
  p.writes_logits = args.masked.given();
  return p;
}

Sampling::Sampling(const SamplingConfig& config, const Target& target) {
  auto impl = std::make_shared<detail::SamplingImpl>();
  check_config(config);
  impl->config = config;
  impl->target = target;
  impl->spec = select_sampling(config, target);
  impl_ = std::move(impl);
}

Sampling::Sampling(const SamplingConfig& config, const CudaBackend& backend) {
  auto impl = std::make_shared<detail::SamplingImpl>();
  check_config(config);
  impl->config = config;
  impl->target = backend.target();
  impl->cuda = prepare_sampling_cuda(config, backend);
  impl_ = std::move(impl);
}

const SamplingConfig& Sampling::config() const { return alive("sampling", impl_).config; }

std::string Sampling::explain() const {
  const auto& impl = alive("sampling", impl_);
  return to_string(impl.config) + "\n" +
         (impl.cuda ? explain_sampling_cuda(*impl.cuda)
                    : explain_row_unit(impl.spec.unit, impl.target)) +
         "masses: integers of " + std::to_string(kMassBits) +
         " bits below the largest; the same token on every device\n";
}

void Sampling::run(const SamplingArgs& args, const Executor& executor) const {
  const detail::SamplingImpl& impl = alive("sampling", impl_);
  check_sampling_args(impl.config, device_of(impl.target), args);
  const SamplingParams params = bind_sampling(impl.config, args);
  if (params.n == 0) return;
  if (impl.cuda != nullptr) {
    const bool wide = fits_vectors(args.input, sampling_vec(*impl.cuda));
    return run_sampling_cuda(*impl.cuda, impl.config, params, wide, executor);
  }
  if (impl.config.checked) check_parameters(params);
  run_sampling_cpu(impl.spec, params, executor);
}

void Sampling::filter(const FilterArgs& args, const Executor& executor) const {
  const detail::SamplingImpl& impl = alive("sampling", impl_);
  check_filter_args(impl.config, device_of(impl.target), args);
  const SamplingParams params = bind_filter(impl.config, args);
  if (params.n == 0) return;
  const TensorView& output = params.writes_logits ? args.masked : args.probs;
  if (impl.cuda != nullptr) {
    const int vec = sampling_vec(*impl.cuda);
    const bool wide = fits_vectors(args.input, vec) && fits_vectors(output, vec);
    return run_filter_cuda(*impl.cuda, impl.config, params, output.dtype, wide, executor);
  }
  if (impl.config.checked) check_parameters(params);
  run_filter_cpu(impl.spec, params, output.dtype, executor);
}

void Sampling::check(const Executor& executor) const {
  if (alive("sampling", impl_).cuda != nullptr) check_sampling_cuda(*impl_->cuda, executor);
}

}  // namespace weft
