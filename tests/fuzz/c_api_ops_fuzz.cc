// SPDX-License-Identifier: Apache-2.0
// append, merge, rope and batch_indices_positions through the C ABI: a call that works, a few
// faults, then create, run, explain, destroy. Nothing may crash or leave its memory.
#include <cstddef>

#include "tests/fuzz/c_api_world.h"

namespace weft::fuzz {
namespace {

constexpr int64_t kTokens = 3, kQoHeads = 4, kKvHeads = 2, kDim = 16, kMaxPosition = 10;

/// Unchecked indices are the caller's word: only a checked config may run here.
template <class Config>
bool is_checked(const Roomy<Config>& config) {
  constexpr size_t kEnd = offsetof(Config, checked) + sizeof(int32_t);
  return config.value.struct_size < kEnd || config.value.checked == 1;
}

void fuzz_append(Input& in) {
  World world;
  Roomy<weft_append_config> config(weft_append_config_init);
  Roomy<weft_append_args> args(weft_append_args_init);
  Roomy<weft_rope_form> form(weft_rope_form_init);
  Roomy<weft_target> target(weft_target_init);
  weft_append_config& c = config.value;
  weft_append_args& a = args.value;
  c.dtype = float_dtype(in);
  c.dtype_kv = in.small(WEFT_DTYPE_F32, WEFT_DTYPE_E5M2);
  c.num_kv_heads = kKvHeads;
  c.head_dim_qk = kDim;
  c.page_size = 4;
  c.kv_layout = in.byte() % 2;
  const int64_t rows = c.kv_layout == WEFT_KV_LAYOUT_NHD ? 4 : kKvHeads;
  a.k = &world.tensor(c.dtype, {kTokens, kKvHeads, kDim})->t;
  a.v = &world.tensor(c.dtype, {kTokens, kKvHeads, kDim})->t;
  a.batch_indices = &world.ints({0, 1, 1})->t;
  a.positions = &world.ints({5, 2, 3})->t;
  a.kv_indptr = &world.ints({0, 2, 3})->t;
  a.kv_indices = &world.ints({3, 0, 1})->t;
  a.k_cache = &world.tensor(c.dtype_kv, {4, rows, 8 / rows, kDim})->t;
  a.v_cache = &world.tensor(c.dtype_kv, {4, rows, 8 / rows, kDim})->t;
  if (in.chance()) a.k_scales = &world.tensor(WEFT_DTYPE_F32, {kKvHeads})->t;
  if (in.chance()) {
    c.rope = &form.value;
    form.value.mode = in.small(1, 2);
    c.num_qo_heads = kQoHeads;
    a.q = &world.tensor(c.dtype, {kTokens, kQoHeads, kDim})->t;
    a.q_out = in.chance() ? a.q : &world.tensor(c.dtype, {kTokens, kQoHeads, kDim})->t;
    if (in.chance()) a.rope_positions = &world.ints({9, 0, 1})->t;
    if (in.chance()) {
      a.cos_sin_cache = &world.tensor(WEFT_DTYPE_F32, {kMaxPosition, kDim})->t;
    }
  }
  break_something(in, world, config, offsetof(weft_append_config, rope), args,
                  offsetof(weft_append_args, k), &form);
  weft_append_t append = nullptr;
  checked(weft_append_create(&c, read_target(in, target), world.allocator(), &append));
  read_text([&](char* buffer, size_t capacity, size_t* length) {
    return weft_append_explain(append, buffer, capacity, length);
  });
  if (is_checked(config)) {
    checked_run(world, [&] { return weft_append_run(append, &a, &world.executor()); });
  }
  checked(weft_append_destroy(append));
}

void fuzz_rope(Input& in) {
  World world;
  Roomy<weft_rope_config> config(weft_rope_config_init);
  Roomy<weft_rope_args> args(weft_rope_args_init);
  Roomy<weft_rope_form> form(weft_rope_form_init);
  Roomy<weft_target> target(weft_target_init);
  weft_rope_config& c = config.value;
  weft_rope_args& a = args.value;
  c.dtype = float_dtype(in);
  c.num_qo_heads = kQoHeads;
  c.head_dim = kDim;
  c.rope = &form.value;
  form.value.mode = in.small(1, 2);
  form.value.dim = 2 * in.small(0, 8);
  a.q = &world.tensor(c.dtype, {kTokens, kQoHeads, kDim})->t;
  a.q_out = in.chance() ? a.q : &world.tensor(c.dtype, {kTokens, kQoHeads, kDim})->t;
  if (in.chance()) {
    c.num_kv_heads = kKvHeads;
    a.k = &world.tensor(c.dtype, {kTokens, kKvHeads, kDim})->t;
    a.k_out = in.chance() ? a.k : &world.tensor(c.dtype, {kTokens, kKvHeads, kDim})->t;
  }
  if (in.chance()) {
    a.positions = &world.ints({9, 0, 1})->t;
  } else {
    a.indptr = &world.ints({0, 2, 3})->t;
    a.offsets = &world.ints({8, 0})->t;
  }
  if (in.chance()) {
    const int64_t dim = form.value.dim == 0 ? kDim : form.value.dim;
    a.cos_sin_cache = &world.tensor(WEFT_DTYPE_F32, {kMaxPosition, dim})->t;
  }
  break_something(in, world, config, offsetof(weft_rope_config, rope), args,
                  offsetof(weft_rope_args, q), &form);
  weft_rope_t rope = nullptr;
  checked(weft_rope_create(&c, read_target(in, target), world.allocator(), &rope));
  read_text([&](char* buffer, size_t capacity, size_t* length) {
    return weft_rope_explain(rope, buffer, capacity, length);
  });
  if (is_checked(config)) {
    checked_run(world, [&] { return weft_rope_run(rope, &a, &world.executor()); });
  }
  checked(weft_rope_destroy(rope));
}

void set_merge_config(Input& in, weft_merge_config& c) {
  c.dtype = float_dtype(in);
  c.dtype_o = in.chance() ? float_dtype(in) : WEFT_DTYPE_NONE;
  c.num_heads = kQoHeads;
  c.head_dim = kDim;
  c.lse_base2 = in.byte() % 2;
}

int32_t output_dtype(const weft_merge_config& c) {
  return c.dtype_o == WEFT_DTYPE_NONE ? c.dtype : c.dtype_o;
}

void fuzz_merge(Input& in) {
  World world;
  Roomy<weft_merge_config> config(weft_merge_config_init);
  Roomy<weft_merge_args> args(weft_merge_args_init);
  Roomy<weft_rope_form> form(weft_rope_form_init);
  Roomy<weft_target> target(weft_target_init);
  weft_merge_config& c = config.value;
  weft_merge_args& a = args.value;
  set_merge_config(in, c);
  const int64_t states = in.small(0, 4);
  a.o_in = &world.tensor(c.dtype, {kTokens, states, kQoHeads, kDim})->t;
  a.lse_in = &world.tensor(WEFT_DTYPE_F32, {kTokens, states, kQoHeads})->t;
  a.o = &world.tensor(output_dtype(c), {kTokens, kQoHeads, kDim})->t;
  if (in.chance()) a.lse = &world.tensor(WEFT_DTYPE_F32, {kTokens, kQoHeads})->t;
  break_something(in, world, config, sizeof(c), args, offsetof(weft_merge_args, o_in), &form);
  weft_merge_t merge = nullptr;
  checked(weft_merge_create(&c, read_target(in, target), world.allocator(), &merge));
  checked_run(world, [&] { return weft_merge_run(merge, &a, &world.executor()); });
  checked(weft_merge_destroy(merge));
}

void fuzz_pair(Input& in) {
  World world;
  Roomy<weft_merge_config> config(weft_merge_config_init);
  Roomy<weft_merge_pair_args> args(weft_merge_pair_args_init);
  Roomy<weft_rope_form> form(weft_rope_form_init);
  Roomy<weft_target> target(weft_target_init);
  weft_merge_config& c = config.value;
  weft_merge_pair_args& a = args.value;
  set_merge_config(in, c);
  a.o_a = &world.tensor(c.dtype, {kTokens, kQoHeads, kDim})->t;
  a.o_b = &world.tensor(c.dtype, {kTokens, kQoHeads, kDim})->t;
  a.lse_a = &world.tensor(WEFT_DTYPE_F32, {kTokens, kQoHeads})->t;
  a.lse_b = &world.tensor(WEFT_DTYPE_F32, {kTokens, kQoHeads})->t;
  a.o = in.chance() ? a.o_a : &world.tensor(output_dtype(c), {kTokens, kQoHeads, kDim})->t;
  if (in.chance()) a.lse = in.chance() ? a.lse_b : a.lse_a;
  if (in.chance()) a.mask = &world.tensor(WEFT_DTYPE_U8, {kTokens})->t;
  break_something(in, world, config, sizeof(c), args, offsetof(weft_merge_pair_args, o_a), &form);
  weft_merge_t merge = nullptr;
  checked(weft_merge_create(&c, read_target(in, target), world.allocator(), &merge));
  read_text([&](char* buffer, size_t capacity, size_t* length) {
    return weft_merge_explain(merge, buffer, capacity, length);
  });
  checked_run(world, [&] { return weft_merge_run_pair(merge, &a, &world.executor()); });
  checked(weft_merge_destroy(merge));
}

void fuzz_positions(Input& in) {
  World world;
  const weft_tensor* tensors[4] = {&world.ints({0, 2, 3})->t, &world.ints({6, 1})->t,
                                   &world.ints({0, 0, 0})->t, &world.ints({0, 0, 0, 0})->t};
  for (int n = in.small(0, 5); n > 0; --n) world.mutate_tensor(in, true);
  if (in.byte() < 16) tensors[in.byte() % 4] = nullptr;
  world.settle();
  checked_run(world, [&] {
    return weft_batch_indices_positions(tensors[0], tensors[1], tensors[2], tensors[3]);
  });
}

}  // namespace
}  // namespace weft::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weft::fuzz;
  void (*const targets[])(Input&) = {fuzz_append, fuzz_rope, fuzz_merge, fuzz_pair, fuzz_positions};
  Input in(data, size);
  targets[in.byte() % 5](in);
  return 0;
}
