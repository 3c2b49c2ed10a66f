// SPDX-License-Identifier: Apache-2.0
// The C ABI of GPU backends.
#include "src/api/c_cuda.h"

#include "src/api/boundary.h"
#include "src/api/c_values.h"

using namespace weft;        // NOLINT(google-build-using-namespace): this file is one wall of it
using namespace weft::capi;  // NOLINT(google-build-using-namespace)

namespace {

weft_cuda_options default_options() {
  weft_cuda_options options{};
  options.struct_size = sizeof(options);
  return options;
}

std::vector<std::string> to_strings(const char* field, const char* const* strings, int32_t count) {
  check_range(field, count, 0, 1 << 16);
  if (count > 0 && strings == nullptr) {
    fail(ErrorKind::invalid_argument, field, std::to_string(count) + " strings", "NULL");
  }
  std::vector<std::string> out;
  for (int32_t i = 0; i < count; ++i) {
    if (strings[i] == nullptr) fail(ErrorKind::invalid_argument, field, "strings", "NULL");
    out.emplace_back(strings[i]);
  }
  return out;
}

JitOptions to_options(const weft_cuda_options* in) {
  JitOptions options;
  if (in == nullptr) return options;
  const weft_cuda_options c = read_struct("options", in, default_options());
  check_reserved(c.reserved);
  if (c.cache_dir != nullptr) options.cache_dir = c.cache_dir;
  options.bundles = to_strings("bundles", c.bundles, c.num_bundles);
  options.nvrtc = to_strings("nvrtc", c.nvrtc, c.num_nvrtc);
  return options;
}

}  // namespace

weft_status weft_cuda_options_init(weft_cuda_options* options, size_t struct_size) {
  return guard([&] { write_struct("options", options, struct_size, default_options()); });
}

weft_status weft_cuda_num_devices(int32_t* count) {
  return guard([&] {
    check_out("count", count);
    *count = CudaBackend::num_devices();
  });
}

weft_status weft_cuda_backend_create(int32_t device_index, const weft_cuda_options* options,
                                     const weft_allocator* allocator,
                                     weft_cuda_backend_t* backend) {
  return guard([&] {
    create_operator("backend", allocator, backend,
                    [&] { return CudaBackend(device_index, to_options(options)); });
  });
}

weft_status weft_cuda_backend_destroy(weft_cuda_backend_t backend) {
  return guard([&] { destroy_handle("backend", backend); });
}

weft_status weft_cuda_backend_target(weft_cuda_backend_t backend, weft_target* target,
                                     size_t struct_size) {
  return guard([&] {
    const CudaBackend& b = deref("backend", backend).backend;
    write_struct("target", target, struct_size, to_c(b.target()));
  });
}

weft_status weft_cuda_backend_name(weft_cuda_backend_t backend, char* buffer, size_t capacity,
                                   size_t* length) {
  return guard([&] {
    write_text(deref("backend", backend).backend.device_name(), buffer, capacity, length);
  });
}
