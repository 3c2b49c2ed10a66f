// SPDX-License-Identifier: Apache-2.0
// Everything sampling refuses, before anything is written. The passing path allocates nothing.
#include "src/base/check.h"

#include "src/base/overlap.h"
#include "src/ops/sampling/rooms.h"

namespace weft {
namespace {

void refuse_with_probs(const SamplingConfig& config, const char* name, const TensorView& tensor) {
  if (config.input == SamplingInput::logits || !tensor.given()) return;
  fail(ErrorKind::invalid_argument, name, "nothing beside probabilities", to_string(tensor));
}

// The four parameters that a filter has too.
template <class Args>
void check_filters(const SamplingConfig& config, Device device, const Args& args, int64_t n) {
  refuse_with_probs(config, "temperature", args.temperature);
  check_optional("temperature", args.temperature, DType::f32, {n}, device);
  check_optional("top_k", args.top_k, DType::i32, {n}, device);
  check_optional("top_p", args.top_p, DType::f32, {n}, device);
  check_optional("min_p", args.min_p, DType::f32, {n}, device);
}

}  // namespace

void check_adjustments(const SamplingConfig& config, Device device, const SamplingArgs& args,
                       int64_t n) {
  const int64_t rows = args.input.shape[0], vocab = config.vocab_size;
  const int64_t words = ceil_div<int64_t>(vocab, 32);
  struct Adjustment {
    const char* name;
    const TensorView& tensor;
    DType dtype;
    int64_t width;  // 0: one of each sample
  };
  const Adjustment all[] = {
      {"repetition_penalty", args.repetition_penalty, DType::f32, 0},
      {"frequency_penalty", args.frequency_penalty, DType::f32, 0},
      {"presence_penalty", args.presence_penalty, DType::f32, 0},
      {"prompt_mask", args.prompt_mask, DType::i32, words},
      {"output_counts", args.output_counts, DType::i32, vocab},
      {"bias", args.bias, DType::f32, vocab},
      {"allowed", args.allowed, DType::i32, words},
  };
  for (const Adjustment& a : all) {
    if (!a.tensor.given()) continue;
    refuse_with_probs(config, a.name, a.tensor);
    if (a.width == 0) check_tensor(a.name, a.tensor, a.dtype, {n}, device);
    if (a.width != 0) check_tensor(a.name, a.tensor, a.dtype, {rows, a.width}, device);
  }
  const auto needs = [](const char* name, const TensorView& penalty, bool there, const char* what) {
    if (!penalty.given() || there) return;
    fail(ErrorKind::invalid_argument, name, what, "neither");
  };
  const bool counts = args.output_counts.given();
  needs("repetition_penalty", args.repetition_penalty, counts || args.prompt_mask.given(),
        "prompt_mask or output_counts beside it");
  needs("frequency_penalty", args.frequency_penalty, counts, "output_counts beside it");
  needs("presence_penalty", args.presence_penalty, counts, "output_counts beside it");
}

void check_sampling_args(const SamplingConfig& config, Device device, const SamplingArgs& args) {
  check_tensor("input", args.input, config.dtype, {kAnySize, config.vocab_size}, device);
  check_optional("indices", args.indices, DType::i32, {kAnySize}, device);
  const int64_t n = args.indices.given() ? args.indices.shape[0] : args.input.shape[0];
  check_tensor("seed", args.seed, DType::i64, {n}, device);
  check_optional("offset", args.offset, DType::i64, {n}, device);
  check_filters(config, device, args, n);
  check_adjustments(config, device, args, n);
  check_output("token", args.token, DType::i32, {n}, device);
  if (args.logprob.given()) check_output("logprob", args.logprob, DType::f32, {n}, device);
  if (args.status.given()) check_output("status", args.status, DType::u8, {n}, device);
  check_apart(
      {extent_of("token", args.token), extent_of("logprob", args.logprob),
       extent_of("status", args.status)},
      {extent_of("input", args.input), extent_of("indices", args.indices),
       extent_of("seed", args.seed), extent_of("offset", args.offset),
       extent_of("temperature", args.temperature), extent_of("top_k", args.top_k),
       extent_of("top_p", args.top_p), extent_of("min_p", args.min_p),
       extent_of("repetition_penalty", args.repetition_penalty),
       extent_of("frequency_penalty", args.frequency_penalty),
       extent_of("presence_penalty", args.presence_penalty),
       extent_of("prompt_mask", args.prompt_mask), extent_of("output_counts", args.output_counts),
       extent_of("bias", args.bias), extent_of("allowed", args.allowed)});
}

void check_filter_args(const SamplingConfig& config, Device device, const FilterArgs& args) {
  check_tensor("input", args.input, config.dtype, {kAnySize, config.vocab_size}, device);
  const int64_t n = args.input.shape[0];
  check_filters(config, device, args, n);
  if (args.probs.given() == args.masked.given()) {
    fail(ErrorKind::invalid_argument, "probs", "exactly one of probs and masked",
         args.probs.given() ? "both" : "neither");
  }
  const bool masks = args.masked.given();
  if (masks) {
    refuse_with_probs(config, "masked", args.masked);
    check_output("masked", args.masked, config.dtype, {n, config.vocab_size}, device);
  } else {
    const DType dtype = args.probs.dtype;
    if (dtype != DType::f32 && !is_float16(dtype)) {
      fail(ErrorKind::invalid_argument, "probs", "f32, f16 or bf16", name_of(dtype));
    }
    check_output("probs", args.probs, dtype, {n, config.vocab_size}, device);
  }
  if (args.status.given()) check_output("status", args.status, DType::u8, {n}, device);
  const Extent output = masks ? extent_of("masked", args.masked) : extent_of("probs", args.probs);
  const Extent status = extent_of("status", args.status), input = extent_of("input", args.input);
  const Extent temperature = extent_of("temperature", args.temperature);
  const Extent top_k = extent_of("top_k", args.top_k), top_p = extent_of("top_p", args.top_p);
  const Extent min_p = extent_of("min_p", args.min_p);
  check_apart({output, status}, {temperature, top_k, top_p, min_p});
  check_apart({status}, {input});
  // A row is read before it is written.
  if (!is_same_view(args.input, masks ? args.masked : args.probs)) check_apart({output}, {input});
}

void check_request(const SampleRequest& request, int64_t i) {
  if (!request.bad) return;
  const char* name = name_of(request.fault);
  fail(ErrorKind::invalid_argument, name, "every element in its range",
       element(name, i) + " out of it");
}

void check_parameters(const SamplingParams& params) {
  for (int64_t i = 0; i < params.n; ++i) check_request(sample_request(params, i), i);
}

}  // namespace weft
