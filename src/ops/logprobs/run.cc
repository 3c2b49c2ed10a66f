// SPDX-License-Identifier: Apache-2.0
// The public Logprobs: check, bind, hand over. Nothing is decided here.
#include "src/base/check.h"
#include "src/cpu/rows.h"
#include "src/cuda/rows.h"
#include "src/ops/logprobs/rooms.h"
#include "src/ops/sampling/rooms.h"

namespace weft {

SamplingConfig processing_of(const LogprobsConfig& config) {
  return {.dtype = config.dtype, .vocab_size = config.vocab_size};
}

SamplingArgs processing_of(const LogprobsArgs& args) {
  return {.input = args.input,
          .indices = args.indices,
          .temperature = args.temperature,
          .repetition_penalty = args.repetition_penalty,
          .frequency_penalty = args.frequency_penalty,
          .presence_penalty = args.presence_penalty,
          .prompt_mask = args.prompt_mask,
          .output_counts = args.output_counts,
          .bias = args.bias,
          .allowed = args.allowed,
          .status = args.status};
}

LogprobsParams bind_logprobs(const LogprobsConfig& config, const LogprobsArgs& args) {
  LogprobsParams p{};
  p.row = bind_sampling(processing_of(config), processing_of(args));
  p.token = data_of<int32_t>(args.token);
  p.token_logprob = static_cast<float*>(args.token_logprob.data);
  p.top_tokens = static_cast<int32_t*>(args.top_tokens.data);
  p.top_logprobs = static_cast<float*>(args.top_logprobs.data);
  p.top_tokens_stride = args.top_tokens.strides[0];
  p.top_logprobs_stride = args.top_logprobs.strides[0];
  p.num = config.num;
  return p;
}

Logprobs::Logprobs(const LogprobsConfig& config, const Target& target) {
  auto impl = std::make_shared<detail::LogprobsImpl>();
  check_config(config);
  impl->config = config;
  impl->target = target;
  impl->spec = select_logprobs(config, target);
  impl_ = std::move(impl);
}

Logprobs::Logprobs(const LogprobsConfig& config, const CudaBackend& backend) {
  auto impl = std::make_shared<detail::LogprobsImpl>();
  check_config(config);
  impl->config = config;
  impl->target = backend.target();
  impl->cuda = prepare_logprobs_cuda(config, backend);
  impl_ = std::move(impl);
}

const LogprobsConfig& Logprobs::config() const { return alive("logprobs", impl_).config; }

std::string Logprobs::explain() const {
  const auto& impl = alive("logprobs", impl_);
  return to_string(impl.config) + "\n" +
         (impl.cuda ? explain_logprobs_cuda(*impl.cuda)
                    : explain_row_unit(impl.spec.unit, impl.target)) +
         "masses: integers of " + std::to_string(kMassBits) +
         " bits below the largest; the same bits on every device\n";
}

void Logprobs::run(const LogprobsArgs& args, const Executor& executor) const {
  const detail::LogprobsImpl& impl = alive("logprobs", impl_);
  check_logprobs_args(impl.config, device_of(impl.target), args);
  const LogprobsParams params = bind_logprobs(impl.config, args);
  if (params.row.n == 0) return;
  if (impl.cuda != nullptr) {
    const bool wide = fits_vectors(args.input, logprobs_vec(*impl.cuda));
    return run_logprobs_cuda(*impl.cuda, impl.config, params, wide, executor);
  }
  if (impl.config.checked) check_contents(params);
  run_logprobs_cpu(impl.spec, params, executor);
}

void Logprobs::check(const Executor& executor) const {
  if (alive("logprobs", impl_).cuda != nullptr) check_logprobs_cuda(*impl_->cuda, executor);
}

}  // namespace weft
