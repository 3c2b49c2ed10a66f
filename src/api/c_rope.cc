// SPDX-License-Identifier: Apache-2.0
// The C ABI of rope: structs across, then the C++ calls of the same names.
#include "src/api/boundary.h"
#include "src/api/c_cuda.h"
#include "src/api/c_handle.h"
#include "src/api/c_struct.h"
#include "src/api/c_values.h"
#include "weft/c_api.h"
#include "weft/rope.h"

using namespace weft;        // NOLINT(google-build-using-namespace): this file is one wall of it
using namespace weft::capi;  // NOLINT(google-build-using-namespace)

struct weft_rope_handle {
  static constexpr const char* kKind = "weft_rope_t";
  HandleHeader header;
  RopeOp rope;
};

namespace {

weft_rope_config to_c(const RopeConfig& config) {
  return {.struct_size = sizeof(weft_rope_config),
          .dtype = static_cast<int32_t>(config.dtype),
          .num_qo_heads = config.num_qo_heads,
          .num_kv_heads = config.num_kv_heads,
          .head_dim = config.head_dim,
          .checked = config.checked,
          .rope = nullptr};
}

RopeConfig to_config(const weft_rope_config* in) {
  const weft_rope_config c = read_struct("config", in, to_c(RopeConfig{}));
  return {.dtype = to_dtype("dtype", c.dtype),
          .num_qo_heads = c.num_qo_heads,
          .num_kv_heads = c.num_kv_heads,
          .head_dim = c.head_dim,
          .rope = to_rope(c.rope),
          .checked = to_bool("checked", c.checked)};
}

RopeArgs to_args(const weft_rope_args* in) {
  const weft_rope_args c = read_struct("args", in, weft_rope_args{});
  check_reserved(c.reserved);
  return {.q = to_view("q", c.q),
          .k = to_view("k", c.k),
          .q_out = to_view("q_out", c.q_out),
          .k_out = to_view("k_out", c.k_out),
          .positions = to_view("positions", c.positions),
          .indptr = to_view("indptr", c.indptr),
          .offsets = to_view("offsets", c.offsets),
          .cos_sin_cache = to_view("cos_sin_cache", c.cos_sin_cache)};
}

}  // namespace

weft_status weft_rope_config_init(weft_rope_config* config, size_t struct_size) {
  return guard([&] { write_struct("config", config, struct_size, to_c(RopeConfig{})); });
}

weft_status weft_rope_args_init(weft_rope_args* args, size_t struct_size) {
  return guard([&] { write_struct("args", args, struct_size, weft_rope_args{}); });
}

weft_status weft_rope_create(const weft_rope_config* config, const weft_target* target,
                             const weft_allocator* allocator, weft_rope_t* rope) {
  return guard([&] {
    create_operator("rope", allocator, rope,
                    [&] { return RopeOp(to_config(config), to_target(target)); });
  });
}

weft_status weft_rope_create_cuda(const weft_rope_config* config, weft_cuda_backend_t backend,
                                  const weft_allocator* allocator, weft_rope_t* rope) {
  return guard([&] {
    create_operator("rope", allocator, rope,
                    [&] { return RopeOp(to_config(config), deref("backend", backend).backend); });
  });
}

weft_status weft_rope_destroy(weft_rope_t rope) {
  return guard([&] { destroy_handle("rope", rope); });
}

weft_status weft_rope_explain(weft_rope_t rope, char* buffer, size_t capacity, size_t* length) {
  return guard([&] { write_text(deref("rope", rope).rope.explain(), buffer, capacity, length); });
}

weft_status weft_rope_run(weft_rope_t rope, const weft_rope_args* args,
                          const weft_executor* executor) {
  return guard([&] {
    const RopeOp& operation = deref("rope", rope).rope;
    operation.run(to_args(args), ExecutorHolder(executor).get());
  });
}

weft_status weft_rope_check(weft_rope_t rope, const weft_executor* executor) {
  return guard([&] { deref("rope", rope).rope.check(ExecutorHolder(executor).get()); });
}
