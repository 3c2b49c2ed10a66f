// SPDX-License-Identifier: Apache-2.0
// See sampler.h.
#include "tools/weft/sampler.h"

#include <utility>

namespace weft::cli {
namespace {

// `rows` times the same value, in the engine's memory.
template <class T>
engine::Buffer repeated(engine::Memory& memory, DType dtype, int rows, T value) {
  engine::Buffer buffer(memory, dtype, {rows});
  const std::vector<T> values(static_cast<size_t>(rows), value);
  memory.upload(buffer.view().data, values.data(), values.size() * sizeof(T));
  return buffer;
}

}  // namespace

Sampler::Sampler(const SampleOptions& options, Sampling sampling, int max_rows,
                 engine::Memory& memory, const Executor& executor)
    : sampling_(std::move(sampling)),
      memory_(memory),
      executor_(executor),
      logits_(memory, DType::f32, {max_rows, sampling_.config().vocab_size}),
      seed_(repeated(memory, DType::i64, max_rows, options.seed)),
      offset_(memory, DType::i64, {max_rows}),
      temperature_(repeated(memory, DType::f32, max_rows, options.temperature)),
      top_k_(repeated(memory, DType::i32, max_rows, static_cast<int32_t>(options.top_k))),
      top_p_(repeated(memory, DType::f32, max_rows, options.top_p)),
      min_p_(repeated(memory, DType::f32, max_rows, options.min_p)),
      token_(memory, DType::i32, {max_rows}) {}

std::vector<engine::TokenId> Sampler::draw(const std::vector<float>& logits,
                                           const std::vector<int64_t>& offsets) const {
  const auto rows = static_cast<int64_t>(offsets.size());
  if (rows == 0) return {};
  memory_.upload(logits_.view().data, logits.data(), logits.size() * sizeof(float));
  memory_.upload(offset_.view().data, offsets.data(), offsets.size() * sizeof(int64_t));
  SamplingArgs args;
  args.input = logits_.first(rows);
  args.seed = seed_.first(rows);
  args.offset = offset_.first(rows);
  args.temperature = temperature_.first(rows);
  args.top_k = top_k_.first(rows);
  args.top_p = top_p_.first(rows);
  args.min_p = min_p_.first(rows);
  args.token = token_.first(rows);
  sampling_.run(args, executor_);
  std::vector<int32_t> tokens(offsets.size());
  memory_.download(tokens.data(), args.token.data, tokens.size() * sizeof(int32_t));
  return {tokens.begin(), tokens.end()};
}

}  // namespace weft::cli
