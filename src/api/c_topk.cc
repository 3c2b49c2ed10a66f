// SPDX-License-Identifier: Apache-2.0
// The C ABI of topk: structs across, then the C++ calls of the same names.
#include "src/api/boundary.h"
#include "src/api/c_cuda.h"
#include "src/api/c_handle.h"
#include "src/api/c_struct.h"
#include "src/api/c_values.h"
#include "weft/topk.h"

using namespace weft;        // NOLINT(google-build-using-namespace): this file is one wall of it
using namespace weft::capi;  // NOLINT(google-build-using-namespace)

struct weft_topk_handle {
  static constexpr const char* kKind = "weft_topk_t";
  HandleHeader header;
  Topk topk;
};

namespace {

weft_topk_config to_c(const TopkConfig& config) {
  return {.struct_size = sizeof(weft_topk_config),
          .dtype = static_cast<int32_t>(config.dtype),
          .max_len = config.max_len,
          .k = config.k,
          .sorted = config.sorted,
          .page_size = config.page_size,
          .checked = config.checked};
}

TopkConfig to_config(const weft_topk_config* in) {
  const weft_topk_config c = read_struct("config", in, to_c(TopkConfig{}));
  return {.dtype = to_dtype("dtype", c.dtype),
          .max_len = c.max_len,
          .k = c.k,
          .sorted = to_bool("sorted", c.sorted),
          .page_size = c.page_size,
          .checked = to_bool("checked", c.checked)};
}

TopkArgs to_args(const weft_topk_args* in) {
  const weft_topk_args c = read_struct("args", in, weft_topk_args{});
  check_reserved(c.reserved);
  return {.input = to_view("input", c.input),
          .lengths = to_view("lengths", c.lengths),
          .row_starts = to_view("row_starts", c.row_starts),
          .page_table = to_view("page_table", c.page_table),
          .row_to_batch = to_view("row_to_batch", c.row_to_batch),
          .offsets = to_view("offsets", c.offsets),
          .indices = to_view("indices", c.indices),
          .values = to_view("values", c.values)};
}

}  // namespace

weft_status weft_topk_config_init(weft_topk_config* config, size_t struct_size) {
  return guard([&] { write_struct("config", config, struct_size, to_c(TopkConfig{})); });
}

weft_status weft_topk_args_init(weft_topk_args* args, size_t struct_size) {
  return guard([&] { write_struct("args", args, struct_size, weft_topk_args{}); });
}

weft_status weft_topk_create(const weft_topk_config* config, const weft_target* target,
                             const weft_allocator* allocator, weft_topk_t* topk) {
  return guard([&] {
    create_operator("topk", allocator, topk,
                    [&] { return Topk(to_config(config), to_target(target)); });
  });
}

weft_status weft_topk_create_cuda(const weft_topk_config* config, weft_cuda_backend_t backend,
                                  const weft_allocator* allocator, weft_topk_t* topk) {
  return guard([&] {
    create_operator("topk", allocator, topk,
                    [&] { return Topk(to_config(config), deref("backend", backend).backend); });
  });
}

weft_status weft_topk_destroy(weft_topk_t topk) {
  return guard([&] { destroy_handle("topk", topk); });
}

weft_status weft_topk_explain(weft_topk_t topk, char* buffer, size_t capacity, size_t* length) {
  return guard([&] { write_text(deref("topk", topk).topk.explain(), buffer, capacity, length); });
}

weft_status weft_topk_run(weft_topk_t topk, const weft_topk_args* args,
                          const weft_executor* executor) {
  return guard([&] {
    const Topk& operation = deref("topk", topk).topk;
    operation.run(to_args(args), ExecutorHolder(executor).get());
  });
}

weft_status weft_topk_check(weft_topk_t topk, const weft_executor* executor) {
  return guard([&] {
    const Topk& operation = deref("topk", topk).topk;
    operation.check(ExecutorHolder(executor).get());
  });
}
