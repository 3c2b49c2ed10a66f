// SPDX-License-Identifier: Apache-2.0
// The C ABI of merge: structs across, then the C++ calls of the same names.
#include "src/api/boundary.h"
#include "src/api/c_cuda.h"
#include "src/api/c_handle.h"
#include "src/api/c_struct.h"
#include "src/api/c_values.h"
#include "weft/c_api.h"
#include "weft/merge.h"

using namespace weft;        // NOLINT(google-build-using-namespace): this file is one wall of it
using namespace weft::capi;  // NOLINT(google-build-using-namespace)

struct weft_merge_handle {
  static constexpr const char* kKind = "weft_merge_t";
  HandleHeader header;
  Merge merge;
};

namespace {

weft_merge_config to_c(const MergeConfig& config) {
  return {.struct_size = sizeof(weft_merge_config),
          .dtype = static_cast<int32_t>(config.dtype),
          .dtype_o = static_cast<int32_t>(config.dtype_o),
          .num_heads = config.num_heads,
          .head_dim = config.head_dim,
          .lse_base2 = config.lse_base2};
}

MergeConfig to_config(const weft_merge_config* in) {
  const weft_merge_config c = read_struct("config", in, to_c(MergeConfig{}));
  return {.dtype = to_dtype("dtype", c.dtype),
          .dtype_o = to_dtype("dtype_o", c.dtype_o),
          .num_heads = c.num_heads,
          .head_dim = c.head_dim,
          .lse_base2 = to_bool("lse_base2", c.lse_base2)};
}

MergeArgs to_args(const weft_merge_args* in) {
  const weft_merge_args c = read_struct("args", in, weft_merge_args{});
  check_reserved(c.reserved);
  return {.o_in = to_view("o_in", c.o_in),
          .lse_in = to_view("lse_in", c.lse_in),
          .o = to_view("o", c.o),
          .lse = to_view("lse", c.lse)};
}

MergePairArgs to_args(const weft_merge_pair_args* in) {
  const weft_merge_pair_args c = read_struct("args", in, weft_merge_pair_args{});
  check_reserved(c.reserved);
  return {.o_a = to_view("o_a", c.o_a),
          .lse_a = to_view("lse_a", c.lse_a),
          .o_b = to_view("o_b", c.o_b),
          .lse_b = to_view("lse_b", c.lse_b),
          .o = to_view("o", c.o),
          .lse = to_view("lse", c.lse),
          .mask = to_view("mask", c.mask)};
}

}  // namespace

weft_status weft_merge_config_init(weft_merge_config* config, size_t struct_size) {
  return guard([&] { write_struct("config", config, struct_size, to_c(MergeConfig{})); });
}

weft_status weft_merge_args_init(weft_merge_args* args, size_t struct_size) {
  return guard([&] { write_struct("args", args, struct_size, weft_merge_args{}); });
}

weft_status weft_merge_pair_args_init(weft_merge_pair_args* args, size_t struct_size) {
  return guard([&] { write_struct("args", args, struct_size, weft_merge_pair_args{}); });
}

weft_status weft_merge_create(const weft_merge_config* config, const weft_target* target,
                              const weft_allocator* allocator, weft_merge_t* merge) {
  return guard([&] {
    create_operator("merge", allocator, merge,
                    [&] { return Merge(to_config(config), to_target(target)); });
  });
}

weft_status weft_merge_create_cuda(const weft_merge_config* config, weft_cuda_backend_t backend,
                                   const weft_allocator* allocator, weft_merge_t* merge) {
  return guard([&] {
    create_operator("merge", allocator, merge,
                    [&] { return Merge(to_config(config), deref("backend", backend).backend); });
  });
}

weft_status weft_merge_destroy(weft_merge_t merge) {
  return guard([&] { destroy_handle("merge", merge); });
}

weft_status weft_merge_explain(weft_merge_t merge, char* buffer, size_t capacity, size_t* length) {
  return guard(
      [&] { write_text(deref("merge", merge).merge.explain(), buffer, capacity, length); });
}

weft_status weft_merge_run(weft_merge_t merge, const weft_merge_args* args,
                           const weft_executor* executor) {
  return guard([&] {
    const Merge& operation = deref("merge", merge).merge;
    operation.run(to_args(args), ExecutorHolder(executor).get());
  });
}

weft_status weft_merge_run_pair(weft_merge_t merge, const weft_merge_pair_args* args,
                                const weft_executor* executor) {
  return guard([&] {
    const Merge& operation = deref("merge", merge).merge;
    operation.run(to_args(args), ExecutorHolder(executor).get());
  });
}
