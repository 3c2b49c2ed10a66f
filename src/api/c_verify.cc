// SPDX-License-Identifier: Apache-2.0
// The C ABI of verify: structs across, then the C++ calls of the same names.
#include "src/api/boundary.h"
#include "src/api/c_cuda.h"
#include "src/api/c_handle.h"
#include "src/api/c_struct.h"
#include "src/api/c_values.h"
#include "weft/c_sampling.h"
#include "weft/verify.h"

using namespace weft;        // NOLINT(google-build-using-namespace): this file is one wall of it
using namespace weft::capi;  // NOLINT(google-build-using-namespace)

struct weft_verify_handle {
  static constexpr const char* kKind = "weft_verify_t";
  HandleHeader header;
  Verify verify;
};

namespace {

weft_verify_config to_c(const VerifyConfig& config) {
  return {.struct_size = sizeof(weft_verify_config),
          .dtype = static_cast<int32_t>(config.dtype),
          .vocab_size = config.vocab_size,
          .num_draft = config.num_draft,
          .tree = config.tree};
}

VerifyConfig to_config(const weft_verify_config* in) {
  const weft_verify_config c = read_struct("config", in, to_c(VerifyConfig{}));
  return {.dtype = to_dtype("dtype", c.dtype),
          .vocab_size = c.vocab_size,
          .num_draft = c.num_draft,
          .tree = to_bool("tree", c.tree)};
}

VerifyArgs to_args(const weft_verify_args* in) {
  const weft_verify_args c = read_struct("args", in, weft_verify_args{});
  check_reserved(c.reserved);
  return {.draft_probs = to_view("draft_probs", c.draft_probs),
          .target_probs = to_view("target_probs", c.target_probs),
          .draft_tokens = to_view("draft_tokens", c.draft_tokens),
          .first_child = to_view("first_child", c.first_child),
          .next_sibling = to_view("next_sibling", c.next_sibling),
          .seed = to_view("seed", c.seed),
          .offset = to_view("offset", c.offset),
          .tokens = to_view("tokens", c.tokens),
          .accepted = to_view("accepted", c.accepted),
          .emitted = to_view("emitted", c.emitted),
          .status = to_view("status", c.status)};
}

}  // namespace

weft_status weft_verify_config_init(weft_verify_config* config, size_t struct_size) {
  return guard([&] { write_struct("config", config, struct_size, to_c(VerifyConfig{})); });
}

weft_status weft_verify_args_init(weft_verify_args* args, size_t struct_size) {
  return guard([&] { write_struct("args", args, struct_size, weft_verify_args{}); });
}

weft_status weft_verify_create(const weft_verify_config* config, const weft_target* target,
                               const weft_allocator* allocator, weft_verify_t* verify) {
  return guard([&] {
    create_operator("verify", allocator, verify,
                    [&] { return Verify(to_config(config), to_target(target)); });
  });
}

weft_status weft_verify_create_cuda(const weft_verify_config* config, weft_cuda_backend_t backend,
                                    const weft_allocator* allocator, weft_verify_t* verify) {
  return guard([&] {
    create_operator("verify", allocator, verify,
                    [&] { return Verify(to_config(config), deref("backend", backend).backend); });
  });
}

weft_status weft_verify_destroy(weft_verify_t verify) {
  return guard([&] { destroy_handle("verify", verify); });
}

weft_status weft_verify_explain(weft_verify_t verify, char* buffer, size_t capacity,
                                size_t* length) {
  return guard(
      [&] { write_text(deref("verify", verify).verify.explain(), buffer, capacity, length); });
}

weft_status weft_verify_run(weft_verify_t verify, const weft_verify_args* args,
                            const weft_executor* executor) {
  return guard([&] {
    const Verify& operation = deref("verify", verify).verify;
    operation.run(to_args(args), ExecutorHolder(executor).get());
  });
}
