// SPDX-License-Identifier: Apache-2.0
// The C ABI of activation: structs across, then the C++ calls of the same names.
#include "weft/c_activation.h"

#include "src/api/boundary.h"
#include "src/api/c_cuda.h"
#include "src/api/c_handle.h"
#include "src/api/c_struct.h"
#include "src/api/c_values.h"
#include "weft/activation.h"

using namespace weft;        // NOLINT(google-build-using-namespace): this file is one wall of it
using namespace weft::capi;  // NOLINT(google-build-using-namespace)

struct weft_activation_handle {
  static constexpr const char* kKind = "weft_activation_t";
  HandleHeader header;
  Activation activation;
};

namespace {

weft_activation_config to_c(const ActivationConfig& config) {
  return {.struct_size = sizeof(weft_activation_config),
          .dtype = static_cast<int32_t>(config.dtype),
          .dtype_out = static_cast<int32_t>(config.dtype_out),
          .kind = static_cast<int32_t>(config.kind),
          .hidden = config.hidden};
}

ActivationConfig to_config(const weft_activation_config* in) {
  const weft_activation_config c = read_struct("config", in, to_c(ActivationConfig{}));
  return {.dtype = to_dtype("dtype", c.dtype),
          .dtype_out = to_dtype("dtype_out", c.dtype_out),
          .kind = to_enum("kind", c.kind, ActivationKind::gelu_tanh),
          .hidden = c.hidden};
}

weft_activation_args default_args() {
  return {.struct_size = sizeof(weft_activation_args), .scale = 1.0f};
}

ActivationArgs to_args(const weft_activation_args* in) {
  const weft_activation_args c = read_struct("args", in, default_args());
  return {.x = to_view("x", c.x),
          .out = to_view("out", c.out),
          .scale = c.scale,
          .scales = to_view("scales", c.scales)};
}

}  // namespace

weft_status weft_activation_config_init(weft_activation_config* config, size_t struct_size) {
  return guard([&] { write_struct("config", config, struct_size, to_c(ActivationConfig{})); });
}

weft_status weft_activation_args_init(weft_activation_args* args, size_t struct_size) {
  return guard([&] { write_struct("args", args, struct_size, default_args()); });
}

weft_status weft_activation_create(const weft_activation_config* config, const weft_target* target,
                                   const weft_allocator* allocator, weft_activation_t* activation) {
  return guard([&] {
    create_operator("activation", allocator, activation,
                    [&] { return Activation(to_config(config), to_target(target)); });
  });
}

weft_status weft_activation_create_cuda(const weft_activation_config* config,
                                        weft_cuda_backend_t backend,
                                        const weft_allocator* allocator,
                                        weft_activation_t* activation) {
  return guard([&] {
    create_operator("activation", allocator, activation, [&] {
      return Activation(to_config(config), deref("backend", backend).backend);
    });
  });
}

weft_status weft_activation_destroy(weft_activation_t activation) {
  return guard([&] { destroy_handle("activation", activation); });
}

weft_status weft_activation_explain(weft_activation_t activation, char* buffer, size_t capacity,
                                    size_t* length) {
  return guard([&] {
    write_text(deref("activation", activation).activation.explain(), buffer, capacity, length);
  });
}

weft_status weft_activation_run(weft_activation_t activation, const weft_activation_args* args,
                                const weft_executor* executor) {
  return guard([&] {
    const Activation& operation = deref("activation", activation).activation;
    operation.run(to_args(args), ExecutorHolder(executor).get());
  });
}
