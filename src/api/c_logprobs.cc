// SPDX-License-Identifier: Apache-2.0
// The C ABI of logprobs: structs across, then the C++ calls of the same names.
#include "weft/c_logprobs.h"

#include "src/api/boundary.h"
#include "src/api/c_cuda.h"
#include "src/api/c_handle.h"
#include "src/api/c_struct.h"
#include "src/api/c_values.h"
#include "weft/logprobs.h"

using namespace weft;        // NOLINT(google-build-using-namespace): this file is one wall of it
using namespace weft::capi;  // NOLINT(google-build-using-namespace)

struct weft_logprobs_handle {
  static constexpr const char* kKind = "weft_logprobs_t";
  HandleHeader header;
  Logprobs logprobs;
};

namespace {

weft_logprobs_config to_c(const LogprobsConfig& config) {
  return {.struct_size = sizeof(weft_logprobs_config),
          .dtype = static_cast<int32_t>(config.dtype),
          .vocab_size = config.vocab_size,
          .num = config.num,
          .checked = config.checked};
}

LogprobsConfig to_config(const weft_logprobs_config* in) {
  const weft_logprobs_config c = read_struct("config", in, to_c(LogprobsConfig{}));
  return {.dtype = to_dtype("dtype", c.dtype),
          .vocab_size = c.vocab_size,
          .num = c.num,
          .checked = to_bool("checked", c.checked)};
}

LogprobsArgs to_args(const weft_logprobs_args* in) {
  const weft_logprobs_args c = read_struct("args", in, weft_logprobs_args{});
  check_reserved(c.reserved);
  return {.input = to_view("input", c.input),
          .indices = to_view("indices", c.indices),
          .temperature = to_view("temperature", c.temperature),
          .repetition_penalty = to_view("repetition_penalty", c.repetition_penalty),
          .frequency_penalty = to_view("frequency_penalty", c.frequency_penalty),
          .presence_penalty = to_view("presence_penalty", c.presence_penalty),
          .prompt_mask = to_view("prompt_mask", c.prompt_mask),
          .output_counts = to_view("output_counts", c.output_counts),
          .bias = to_view("bias", c.bias),
          .allowed = to_view("allowed", c.allowed),
          .token = to_view("token", c.token),
          .top_tokens = to_view("top_tokens", c.top_tokens),
          .top_logprobs = to_view("top_logprobs", c.top_logprobs),
          .token_logprob = to_view("token_logprob", c.token_logprob),
          .status = to_view("status", c.status)};
}

}  // namespace

weft_status weft_logprobs_config_init(weft_logprobs_config* config, size_t struct_size) {
  return guard([&] { write_struct("config", config, struct_size, to_c(LogprobsConfig{})); });
}

weft_status weft_logprobs_args_init(weft_logprobs_args* args, size_t struct_size) {
  return guard([&] { write_struct("args", args, struct_size, weft_logprobs_args{}); });
}

weft_status weft_logprobs_create(const weft_logprobs_config* config, const weft_target* target,
                                 const weft_allocator* allocator, weft_logprobs_t* logprobs) {
  return guard([&] {
    create_operator("logprobs", allocator, logprobs,
                    [&] { return Logprobs(to_config(config), to_target(target)); });
  });
}

weft_status weft_logprobs_create_cuda(const weft_logprobs_config* config,
                                      weft_cuda_backend_t backend, const weft_allocator* allocator,
                                      weft_logprobs_t* logprobs) {
  return guard([&] {
    create_operator("logprobs", allocator, logprobs,
                    [&] { return Logprobs(to_config(config), deref("backend", backend).backend); });
  });
}

weft_status weft_logprobs_destroy(weft_logprobs_t logprobs) {
  return guard([&] { destroy_handle("logprobs", logprobs); });
}

weft_status weft_logprobs_explain(weft_logprobs_t logprobs, char* buffer, size_t capacity,
                                  size_t* length) {
  return guard([&] {
    write_text(deref("logprobs", logprobs).logprobs.explain(), buffer, capacity, length);
  });
}

weft_status weft_logprobs_run(weft_logprobs_t logprobs, const weft_logprobs_args* args,
                              const weft_executor* executor) {
  return guard([&] {
    const Logprobs& operation = deref("logprobs", logprobs).logprobs;
    operation.run(to_args(args), ExecutorHolder(executor).get());
  });
}

weft_status weft_logprobs_check(weft_logprobs_t logprobs, const weft_executor* executor) {
  return guard([&] {
    const Logprobs& operation = deref("logprobs", logprobs).logprobs;
    operation.check(ExecutorHolder(executor).get());
  });
}
