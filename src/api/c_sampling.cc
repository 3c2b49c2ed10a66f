// SPDX-License-Identifier: Apache-2.0
// The C ABI of sampling: structs across, then the C++ calls of the same names.
#include "src/api/boundary.h"
#include "src/api/c_cuda.h"
#include "src/api/c_handle.h"
#include "src/api/c_struct.h"
#include "src/api/c_values.h"
#include "weft/sampling.h"

using namespace weft;        // NOLINT(google-build-using-namespace): this file is one wall of it
using namespace weft::capi;  // NOLINT(google-build-using-namespace)

struct weft_sampling_handle {
  static constexpr const char* kKind = "weft_sampling_t";
  HandleHeader header;
  Sampling sampling;
};

namespace {

weft_sampling_config to_c(const SamplingConfig& config) {
  return {.struct_size = sizeof(weft_sampling_config),
          .dtype = static_cast<int32_t>(config.dtype),
          .vocab_size = config.vocab_size,
          .input = static_cast<int32_t>(config.input),
          .order = static_cast<int32_t>(config.order),
          .checked = config.checked};
}

SamplingConfig to_config(const weft_sampling_config* in) {
  const weft_sampling_config c = read_struct("config", in, to_c(SamplingConfig{}));
  return {.dtype = to_dtype("dtype", c.dtype),
          .vocab_size = c.vocab_size,
          .input = to_enum("input", c.input, SamplingInput::probs),
          .order = to_enum("order", c.order, FilterOrder::joint),
          .checked = to_bool("checked", c.checked)};
}

SamplingArgs to_args(const weft_sampling_args* in) {
  const weft_sampling_args c = read_struct("args", in, weft_sampling_args{});
  check_reserved(c.reserved);
  return {.input = to_view("input", c.input),
          .indices = to_view("indices", c.indices),
          .seed = to_view("seed", c.seed),
          .offset = to_view("offset", c.offset),
          .temperature = to_view("temperature", c.temperature),
          .top_k = to_view("top_k", c.top_k),
          .top_p = to_view("top_p", c.top_p),
          .min_p = to_view("min_p", c.min_p),
          .repetition_penalty = to_view("repetition_penalty", c.repetition_penalty),
          .frequency_penalty = to_view("frequency_penalty", c.frequency_penalty),
          .presence_penalty = to_view("presence_penalty", c.presence_penalty),
          .prompt_mask = to_view("prompt_mask", c.prompt_mask),
          .output_counts = to_view("output_counts", c.output_counts),
          .bias = to_view("bias", c.bias),
          .allowed = to_view("allowed", c.allowed),
          .token = to_view("token", c.token),
          .logprob = to_view("logprob", c.logprob),
          .status = to_view("status", c.status)};
}

FilterArgs to_args(const weft_filter_args* in) {
  const weft_filter_args c = read_struct("args", in, weft_filter_args{});
  check_reserved(c.reserved);
  return {.input = to_view("input", c.input),
          .temperature = to_view("temperature", c.temperature),
          .top_k = to_view("top_k", c.top_k),
          .top_p = to_view("top_p", c.top_p),
          .min_p = to_view("min_p", c.min_p),
          .probs = to_view("probs", c.probs),
          .masked = to_view("masked", c.masked),
          .status = to_view("status", c.status)};
}

}  // namespace

weft_status weft_sampling_config_init(weft_sampling_config* config, size_t struct_size) {
  return guard([&] { write_struct("config", config, struct_size, to_c(SamplingConfig{})); });
}

weft_status weft_sampling_args_init(weft_sampling_args* args, size_t struct_size) {
  return guard([&] { write_struct("args", args, struct_size, weft_sampling_args{}); });
}

weft_status weft_filter_args_init(weft_filter_args* args, size_t struct_size) {
  return guard([&] { write_struct("args", args, struct_size, weft_filter_args{}); });
}

weft_status weft_sampling_create(const weft_sampling_config* config, const weft_target* target,
                                 const weft_allocator* allocator, weft_sampling_t* sampling) {
  return guard([&] {
    create_operator("sampling", allocator, sampling,
                    [&] { return Sampling(to_config(config), to_target(target)); });
  });
}

weft_status weft_sampling_create_cuda(const weft_sampling_config* config,
                                      weft_cuda_backend_t backend, const weft_allocator* allocator,
                                      weft_sampling_t* sampling) {
  return guard([&] {
    create_operator("sampling", allocator, sampling,
                    [&] { return Sampling(to_config(config), deref("backend", backend).backend); });
  });
}

weft_status weft_sampling_destroy(weft_sampling_t sampling) {
  return guard([&] { destroy_handle("sampling", sampling); });
}

weft_status weft_sampling_explain(weft_sampling_t sampling, char* buffer, size_t capacity,
                                  size_t* length) {
  return guard([&] {
    write_text(deref("sampling", sampling).sampling.explain(), buffer, capacity, length);
  });
}

weft_status weft_sampling_run(weft_sampling_t sampling, const weft_sampling_args* args,
                              const weft_executor* executor) {
  return guard([&] {
    const Sampling& operation = deref("sampling", sampling).sampling;
    operation.run(to_args(args), ExecutorHolder(executor).get());
  });
}

weft_status weft_sampling_filter(weft_sampling_t sampling, const weft_filter_args* args,
                                 const weft_executor* executor) {
  return guard([&] {
    const Sampling& operation = deref("sampling", sampling).sampling;
    operation.filter(to_args(args), ExecutorHolder(executor).get());
  });
}

weft_status weft_sampling_check(weft_sampling_t sampling, const weft_executor* executor) {
  return guard([&] {
    const Sampling& operation = deref("sampling", sampling).sampling;
    operation.check(ExecutorHolder(executor).get());
  });
}
