// SPDX-License-Identifier: Apache-2.0
// The C ABI of packbits: structs across, then the C++ calls of the same names.
#include "weft/c_packbits.h"

#include "src/api/boundary.h"
#include "src/api/c_cuda.h"
#include "src/api/c_handle.h"
#include "src/api/c_struct.h"
#include "src/api/c_values.h"
#include "weft/packbits.h"

using namespace weft;        // NOLINT(google-build-using-namespace): this file is one wall of it
using namespace weft::capi;  // NOLINT(google-build-using-namespace)

struct weft_packbits_handle {
  static constexpr const char* kKind = "weft_packbits_t";
  HandleHeader header;
  PackBits packbits;
};

namespace {

weft_packbits_config to_c(const PackBitsConfig& config) {
  return {.struct_size = sizeof(weft_packbits_config), .order = static_cast<int32_t>(config.order)};
}

PackBitsConfig to_config(const weft_packbits_config* in) {
  const weft_packbits_config c = read_struct("config", in, to_c(PackBitsConfig{}));
  return {.order = to_enum("order", c.order, BitOrder::big)};
}

weft_packbits_args default_args() { return {.struct_size = sizeof(weft_packbits_args)}; }

PackBitsArgs to_args(const weft_packbits_args* in) {
  const weft_packbits_args c = read_struct("args", in, default_args());
  check_reserved(c.reserved);
  return {.x = to_view("x", c.x),
          .indptr = to_view("indptr", c.indptr),
          .out_indptr = to_view("out_indptr", c.out_indptr),
          .out = to_view("out", c.out)};
}

}  // namespace

weft_status weft_packbits_config_init(weft_packbits_config* config, size_t struct_size) {
  return guard([&] { write_struct("config", config, struct_size, to_c(PackBitsConfig{})); });
}

weft_status weft_packbits_args_init(weft_packbits_args* args, size_t struct_size) {
  return guard([&] { write_struct("args", args, struct_size, default_args()); });
}

weft_status weft_packbits_create(const weft_packbits_config* config, const weft_target* target,
                                 const weft_allocator* allocator, weft_packbits_t* packbits) {
  return guard([&] {
    create_operator("packbits", allocator, packbits,
                    [&] { return PackBits(to_config(config), to_target(target)); });
  });
}

weft_status weft_packbits_create_cuda(const weft_packbits_config* config,
                                      weft_cuda_backend_t backend, const weft_allocator* allocator,
                                      weft_packbits_t* packbits) {
  return guard([&] {
    create_operator("packbits", allocator, packbits,
                    [&] { return PackBits(to_config(config), deref("backend", backend).backend); });
  });
}

weft_status weft_packbits_destroy(weft_packbits_t packbits) {
  return guard([&] { destroy_handle("packbits", packbits); });
}

weft_status weft_packbits_explain(weft_packbits_t packbits, char* buffer, size_t capacity,
                                  size_t* length) {
  return guard([&] {
    write_text(deref("packbits", packbits).packbits.explain(), buffer, capacity, length);
  });
}

weft_status weft_packbits_run(weft_packbits_t packbits, const weft_packbits_args* args,
                              const weft_executor* executor) {
  return guard([&] {
    const PackBits& operation = deref("packbits", packbits).packbits;
    operation.run(to_args(args), ExecutorHolder(executor).get());
  });
}
