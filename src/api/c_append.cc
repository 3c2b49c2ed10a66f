// SPDX-License-Identifier: Apache-2.0
// The C ABI of append: structs across, then the C++ calls of the same names.
#include "src/api/boundary.h"
#include "src/api/c_cuda.h"
#include "src/api/c_handle.h"
#include "src/api/c_struct.h"
#include "src/api/c_values.h"
#include "weft/append.h"
#include "weft/c_api.h"

using namespace weft;        // NOLINT(google-build-using-namespace): this file is one wall of it
using namespace weft::capi;  // NOLINT(google-build-using-namespace)

struct weft_append_handle {
  static constexpr const char* kKind = "weft_append_t";
  HandleHeader header;
  Append append;
};

namespace {

weft_append_config to_c(const AppendConfig& config) {
  return {.struct_size = sizeof(weft_append_config),
          .dtype = static_cast<int32_t>(config.dtype),
          .dtype_kv = static_cast<int32_t>(config.dtype_kv),
          .num_kv_heads = config.num_kv_heads,
          .num_qo_heads = config.num_qo_heads,
          .head_dim_qk = config.head_dim_qk,
          .head_dim_vo = config.head_dim_vo,
          .page_size = config.page_size,
          .kv_layout = static_cast<int32_t>(config.kv_layout),
          .checked = config.checked,
          .rope = nullptr,
          .qk_norm = config.qk_norm,
          .norm_eps = config.norm_eps,
          .norm_weight_offset = config.norm_weight_offset,
          .dtype_q_out = static_cast<int32_t>(config.dtype_q_out)};
}

AppendConfig to_config(const weft_append_config* in) {
  const weft_append_config c = read_struct("config", in, to_c(AppendConfig{}));
  return {.dtype = to_dtype("dtype", c.dtype),
          .dtype_kv = to_dtype("dtype_kv", c.dtype_kv),
          .num_kv_heads = c.num_kv_heads,
          .num_qo_heads = c.num_qo_heads,
          .head_dim_qk = c.head_dim_qk,
          .head_dim_vo = c.head_dim_vo,
          .page_size = c.page_size,
          .kv_layout = to_enum("kv_layout", c.kv_layout, KvLayout::hnd),
          .rope = to_rope(c.rope),
          .checked = to_bool("checked", c.checked),
          .qk_norm = to_bool("qk_norm", c.qk_norm),
          .norm_eps = c.norm_eps,
          .norm_weight_offset = c.norm_weight_offset,
          .dtype_q_out = to_dtype("dtype_q_out", c.dtype_q_out)};
}

weft_append_args to_c(const AppendArgs& args) {
  weft_append_args c{};
  c.k_scale = args.k_scale;
  c.v_scale = args.v_scale;
  c.q_scale = args.q_scale;
  return c;
}

AppendArgs to_args(const weft_append_args* in) {
  const weft_append_args c = read_struct("args", in, to_c(AppendArgs{}));
  check_reserved(c.reserved);
  check_range("reserved_1", c.reserved_1, 0, 0);
  return {.k = to_view("k", c.k),
          .v = to_view("v", c.v),
          .batch_indices = to_view("batch_indices", c.batch_indices),
          .positions = to_view("positions", c.positions),
          .kv_indptr = to_view("kv_indptr", c.kv_indptr),
          .kv_indices = to_view("kv_indices", c.kv_indices),
          .k_cache = to_view("k_cache", c.k_cache),
          .v_cache = to_view("v_cache", c.v_cache),
          .k_scale = c.k_scale,
          .v_scale = c.v_scale,
          .k_scales = to_view("k_scales", c.k_scales),
          .v_scales = to_view("v_scales", c.v_scales),
          .q = to_view("q", c.q),
          .q_out = to_view("q_out", c.q_out),
          .rope_positions = to_view("rope_positions", c.rope_positions),
          .cos_sin_cache = to_view("cos_sin_cache", c.cos_sin_cache),
          .k_weight = to_view("k_weight", c.k_weight),
          .q_weight = to_view("q_weight", c.q_weight),
          .q_scale = c.q_scale};
}

}  // namespace

weft_status weft_append_config_init(weft_append_config* config, size_t struct_size) {
  return guard([&] { write_struct("config", config, struct_size, to_c(AppendConfig{})); });
}

weft_status weft_append_args_init(weft_append_args* args, size_t struct_size) {
  return guard([&] { write_struct("args", args, struct_size, to_c(AppendArgs{})); });
}

weft_status weft_append_create(const weft_append_config* config, const weft_target* target,
                               const weft_allocator* allocator, weft_append_t* append) {
  return guard([&] {
    create_operator("append", allocator, append,
                    [&] { return Append(to_config(config), to_target(target)); });
  });
}

weft_status weft_append_create_cuda(const weft_append_config* config, weft_cuda_backend_t backend,
                                    const weft_allocator* allocator, weft_append_t* append) {
  return guard([&] {
    create_operator("append", allocator, append,
                    [&] { return Append(to_config(config), deref("backend", backend).backend); });
  });
}

weft_status weft_append_destroy(weft_append_t append) {
  return guard([&] { destroy_handle("append", append); });
}

weft_status weft_append_explain(weft_append_t append, char* buffer, size_t capacity,
                                size_t* length) {
  return guard(
      [&] { write_text(deref("append", append).append.explain(), buffer, capacity, length); });
}

weft_status weft_append_run(weft_append_t append, const weft_append_args* args,
                            const weft_executor* executor) {
  return guard([&] {
    const Append& operation = deref("append", append).append;
    operation.run(to_args(args), ExecutorHolder(executor).get());
  });
}

weft_status weft_batch_indices_positions(const weft_tensor* append_indptr,
                                         const weft_tensor* kv_lens,
                                         const weft_tensor* batch_indices,
                                         const weft_tensor* positions) {
  return guard([&] {
    batch_indices_positions(to_view("append_indptr", append_indptr), to_view("kv_lens", kv_lens),
                            to_view("batch_indices", batch_indices),
                            to_view("positions", positions));
  });
}

weft_status weft_append_check(weft_append_t append, const weft_executor* executor) {
  return guard([&] { deref("append", append).append.check(ExecutorHolder(executor).get()); });
}
