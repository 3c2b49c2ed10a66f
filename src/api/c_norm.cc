// SPDX-License-Identifier: Apache-2.0
// The C ABI of norm: structs across, then the C++ calls of the same names.
#include "weft/c_norm.h"

#include "src/api/boundary.h"
#include "src/api/c_cuda.h"
#include "src/api/c_handle.h"
#include "src/api/c_struct.h"
#include "src/api/c_values.h"
#include "weft/norm.h"

using namespace weft;        // NOLINT(google-build-using-namespace): this file is one wall of it
using namespace weft::capi;  // NOLINT(google-build-using-namespace)

struct weft_norm_handle {
  static constexpr const char* kKind = "weft_norm_t";
  HandleHeader header;
  Norm norm;
};

namespace {

weft_norm_config to_c(const NormConfig& config) {
  return {.struct_size = sizeof(weft_norm_config),
          .dtype = static_cast<int32_t>(config.dtype),
          .dtype_out = static_cast<int32_t>(config.dtype_out),
          .dtype_weight = static_cast<int32_t>(config.dtype_weight),
          .hidden = config.hidden,
          .num_heads = config.num_heads,
          .kind = static_cast<int32_t>(config.kind),
          .residual = config.residual,
          .eps = config.eps,
          .weight_offset = config.weight_offset};
}

NormConfig to_config(const weft_norm_config* in) {
  const weft_norm_config c = read_struct("config", in, to_c(NormConfig{}));
  return {.dtype = to_dtype("dtype", c.dtype),
          .dtype_out = to_dtype("dtype_out", c.dtype_out),
          .dtype_weight = to_dtype("dtype_weight", c.dtype_weight),
          .hidden = c.hidden,
          .num_heads = c.num_heads,
          .kind = to_enum("kind", c.kind, NormKind::layer),
          .residual = to_bool("residual", c.residual),
          .eps = c.eps,
          .weight_offset = c.weight_offset};
}

weft_norm_args default_args() { return {.struct_size = sizeof(weft_norm_args), .scale = 1.0f}; }

NormArgs to_args(const weft_norm_args* in) {
  const weft_norm_args c = read_struct("args", in, default_args());
  return {.x = to_view("x", c.x),
          .weight = to_view("weight", c.weight),
          .bias = to_view("bias", c.bias),
          .residual = to_view("residual", c.residual),
          .out = to_view("out", c.out),
          .scale = c.scale,
          .scales = to_view("scales", c.scales)};
}

}  // namespace

weft_status weft_norm_config_init(weft_norm_config* config, size_t struct_size) {
  return guard([&] { write_struct("config", config, struct_size, to_c(NormConfig{})); });
}

weft_status weft_norm_args_init(weft_norm_args* args, size_t struct_size) {
  return guard([&] { write_struct("args", args, struct_size, default_args()); });
}

weft_status weft_norm_create(const weft_norm_config* config, const weft_target* target,
                             const weft_allocator* allocator, weft_norm_t* norm) {
  return guard([&] {
    create_operator("norm", allocator, norm,
                    [&] { return Norm(to_config(config), to_target(target)); });
  });
}

weft_status weft_norm_create_cuda(const weft_norm_config* config, weft_cuda_backend_t backend,
                                  const weft_allocator* allocator, weft_norm_t* norm) {
  return guard([&] {
    create_operator("norm", allocator, norm,
                    [&] { return Norm(to_config(config), deref("backend", backend).backend); });
  });
}

weft_status weft_norm_destroy(weft_norm_t norm) {
  return guard([&] { destroy_handle("norm", norm); });
}

weft_status weft_norm_explain(weft_norm_t norm, char* buffer, size_t capacity, size_t* length) {
  return guard([&] { write_text(deref("norm", norm).norm.explain(), buffer, capacity, length); });
}

weft_status weft_norm_run(weft_norm_t norm, const weft_norm_args* args,
                          const weft_executor* executor) {
  return guard([&] {
    const Norm& operation = deref("norm", norm).norm;
    operation.run(to_args(args), ExecutorHolder(executor).get());
  });
}
