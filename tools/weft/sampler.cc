// SPDX-License-Identifier: Apache-2.0
// See sampler.h.
#include "tools/weft/sampler.h"

namespace weft::cli {

Sampler::Sampler(const SampleOptions& options, int vocab_size, const Target& target,
                 const Executor& executor)
    : options_(options), sampling_({.vocab_size = vocab_size}, target), executor_(executor) {}

std::vector<engine::TokenId> Sampler::draw(const std::vector<float>& logits,
                                           const std::vector<int64_t>& offsets) const {
  const size_t n = offsets.size();
  const auto rows = static_cast<int64_t>(n);
  const std::vector<int64_t> seeds(n, options_.seed);
  const std::vector<float> temperatures(n, options_.temperature), top_ps(n, options_.top_p);
  const std::vector<float> min_ps(n, options_.min_p);
  const std::vector<int32_t> top_ks(n, options_.top_k);
  std::vector<int32_t> tokens(n);
  SamplingArgs args;
  args.input = TensorView(logits.data(), DType::f32, {rows, sampling_.config().vocab_size});
  args.seed = TensorView(seeds.data(), DType::i64, {rows});
  args.offset = TensorView(offsets.data(), DType::i64, {rows});
  args.temperature = TensorView(temperatures.data(), DType::f32, {rows});
  args.top_k = TensorView(top_ks.data(), DType::i32, {rows});
  args.top_p = TensorView(top_ps.data(), DType::f32, {rows});
  args.min_p = TensorView(min_ps.data(), DType::f32, {rows});
  args.token = TensorView(tokens.data(), DType::i32, {rows});
  sampling_.run(args, executor_);
  return {tokens.begin(), tokens.end()};
}

}  // namespace weft::cli
