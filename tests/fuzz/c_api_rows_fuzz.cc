// SPDX-License-Identifier: Apache-2.0
// norm, activation and packbits, sampling and its like through the C ABI: a call that works, odd
// numbers in its parameters, a few faults, then create, run, explain, destroy. Nothing may crash or
// leave its memory, and a sample with a wrong parameter is token 0 with a status.
#include <cstddef>
#include <limits>

#include "tests/fuzz/c_api_world.h"
#include "weft/c_activation.h"
#include "weft/c_logprobs.h"
#include "weft/c_norm.h"
#include "weft/c_packbits.h"

namespace weft::fuzz {
namespace {

constexpr int64_t kRows = 3, kVocab = 70, kWords = (kVocab + 31) / 32;

/// Numbers that a parameter may be, and some that none may.
float odd_float(Input& in) {
  using Limits = std::numeric_limits<float>;
  const float values[] = {0,
                          1,
                          0.5f,
                          0.9f,
                          -1,
                          -0.0f,
                          Limits::quiet_NaN(),
                          1e-45f,
                          1e9f,
                          2e9f,
                          1e38f,
                          -1e38f,
                          Limits::infinity(),
                          -Limits::infinity(),
                          1e-8f,
                          2};
  return values[in.byte() % 16];
}

Tensor* odd_floats(Input& in, World& world, std::initializer_list<int64_t> shape) {
  Tensor* tensor = world.tensor(WEFT_DTYPE_F32, shape);
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  for (int64_t i = 0; i < count; ++i) {
    const float value = i < kRows ? odd_float(in) : static_cast<float>(i % 5);
    std::memcpy(static_cast<char*>(tensor->t.data) + i * 4, &value, sizeof(value));
  }
  return tensor;
}

/// A pointer of args, given or not.
void maybe(Input& in, const weft_tensor*& field, Tensor* tensor) {
  if (in.chance()) field = &tensor->t;
}

/// The numbers of an output that still is what it was made as: dense, of this many elements.
template <class T>
const T* numbers(const weft_tensor* t, int64_t count) {
  if (t == nullptr || t->data == nullptr || t->byte_offset != 0 || t->ndim < 1) return nullptr;
  int64_t stride = 1;
  for (int32_t i = t->ndim; i-- > 0; stride *= t->shape[i]) {
    if (t->strides != nullptr && t->strides[i] != stride) return nullptr;
  }
  return stride == count ? static_cast<const T*>(t->data) : nullptr;
}

/// Of samples: each a token of the vocabulary, and token 0 beside a status.
void check_samples(const weft_tensor* token, const weft_tensor* status) {
  const auto* tokens = numbers<int32_t>(token, kRows);
  const auto* statuses = numbers<uint8_t>(status, kRows);
  for (int64_t i = 0; tokens != nullptr && i < kRows; ++i) {
    require(tokens[i] >= 0 && tokens[i] < kVocab, "a token of the vocabulary");
    if (statuses == nullptr) continue;
    require(statuses[i] <= WEFT_TOKEN_BAD_PARAMETER, "a status");
    require(statuses[i] == WEFT_TOKEN_OK || tokens[i] == 0, "token 0 beside a status");
  }
}

void fuzz_norm(Input& in) {
  World world;
  Roomy<weft_norm_config> config(weft_norm_config_init);
  Roomy<weft_norm_args> args(weft_norm_args_init);
  Roomy<weft_target> target(weft_target_init);
  weft_norm_config& c = config.value;
  weft_norm_args& a = args.value;
  c.dtype = float_dtype(in);
  c.dtype_out = in.chance() ? in.small(WEFT_DTYPE_F32, WEFT_DTYPE_E5M2) : WEFT_DTYPE_NONE;
  c.hidden = 24, c.num_heads = in.small(0, 2), c.kind = in.small(0, 1), c.residual = in.small(0, 1);
  if (in.byte() < 64) c.eps = odd_float(in);
  if (in.byte() < 64) c.weight_offset = odd_float(in);
  const int32_t out = c.dtype_out == WEFT_DTYPE_NONE ? c.dtype : c.dtype_out;
  const bool heads = c.num_heads > 0;
  const auto rows = [&](int32_t dtype) {
    return heads ? world.tensor(dtype, {kRows, c.num_heads, 24}) : world.tensor(dtype, {kRows, 24});
  };
  a.x = &rows(c.dtype)->t;
  a.out = in.chance() && out == c.dtype ? a.x : &rows(out)->t;
  a.weight = &(heads ? world.tensor(c.dtype, {c.num_heads, 24}) : world.tensor(c.dtype, {24}))->t;
  maybe(in, a.bias, world.tensor(c.dtype, {24}));
  if (c.residual == 1) a.residual = &rows(c.dtype)->t;
  if (in.byte() < 64) a.scale = odd_float(in);
  if (in.byte() < 64) a.scales = &odd_floats(in, world, {kRows})->t;
  break_something(in, world, config, sizeof(c), args, offsetof(weft_norm_args, x));
  weft_norm_t norm = nullptr;
  checked(weft_norm_create(&c, read_target(in, target), world.allocator(), &norm));
  read_text([&](char* buffer, size_t capacity, size_t* length) {
    return weft_norm_explain(norm, buffer, capacity, length);
  });
  checked_run(world, [&] { return weft_norm_run(norm, &a, &world.executor()); });
  checked(weft_norm_destroy(norm));
}

void fuzz_activation(Input& in) {
  World world;
  Roomy<weft_activation_config> config(weft_activation_config_init);
  Roomy<weft_activation_args> args(weft_activation_args_init);
  Roomy<weft_target> target(weft_target_init);
  weft_activation_config& c = config.value;
  weft_activation_args& a = args.value;
  c.dtype = float_dtype(in);
  c.dtype_out = in.chance() ? in.small(WEFT_DTYPE_F32, WEFT_DTYPE_E5M2) : WEFT_DTYPE_NONE;
  c.kind = in.small(0, 2), c.hidden = 20;
  a.x = &world.tensor(c.dtype, {kRows, 40})->t;
  a.out = &world.tensor(c.dtype_out == WEFT_DTYPE_NONE ? c.dtype : c.dtype_out, {kRows, 20})->t;
  if (in.byte() < 64) a.scale = odd_float(in);
  if (in.byte() < 64) a.scales = &odd_floats(in, world, {kRows})->t;
  break_something(in, world, config, sizeof(c), args, offsetof(weft_activation_args, x));
  weft_activation_t activation = nullptr;
  checked(weft_activation_create(&c, read_target(in, target), world.allocator(), &activation));
  read_text([&](char* buffer, size_t capacity, size_t* length) {
    return weft_activation_explain(activation, buffer, capacity, length);
  });
  checked_run(world, [&] { return weft_activation_run(activation, &a, &world.executor()); });
  checked(weft_activation_destroy(activation));
}

void fuzz_packbits(Input& in) {
  World world;
  Roomy<weft_packbits_config> config(weft_packbits_config_init);
  Roomy<weft_packbits_args> args(weft_packbits_args_init);
  Roomy<weft_target> target(weft_target_init);
  weft_packbits_args& a = args.value;
  config.value.order = in.small(0, 1);
  a.x = &world.tensor(WEFT_DTYPE_U8, {43})->t;
  a.out = &world.tensor(WEFT_DTYPE_U8, {9})->t;
  if (in.chance()) {
    a.indptr = &world.ints({0, 17, 17, 43})->t;
    a.out_indptr = &world.ints({1, 4, 4, 9})->t;
  }
  break_something(in, world, config, sizeof(config.value), args, offsetof(weft_packbits_args, x));
  weft_packbits_t packbits = nullptr;
  checked(
      weft_packbits_create(&config.value, read_target(in, target), world.allocator(), &packbits));
  read_text([&](char* buffer, size_t capacity, size_t* length) {
    return weft_packbits_explain(packbits, buffer, capacity, length);
  });
  checked_run(world, [&] { return weft_packbits_run(packbits, &a, &world.executor()); });
  checked(weft_packbits_destroy(packbits));
}

/// What sampling and logprobs have in common.
template <class Args>
void add_processing(Input& in, World& world, int32_t dtype, Args& a) {
  a.input = &(dtype == WEFT_DTYPE_F32 && in.chance() ? odd_floats(in, world, {kRows, kVocab})
                                                     : world.tensor(dtype, {kRows, kVocab}))
                 ->t;
  maybe(in, a.indices, world.ints({2, 0, 2}));
  maybe(in, a.temperature, odd_floats(in, world, {kRows}));
  if (in.chance()) {
    maybe(in, a.repetition_penalty, odd_floats(in, world, {kRows}));
    maybe(in, a.frequency_penalty, odd_floats(in, world, {kRows}));
    maybe(in, a.presence_penalty, odd_floats(in, world, {kRows}));
    maybe(in, a.prompt_mask, world.tensor(WEFT_DTYPE_I32, {kRows, kWords}));
    a.output_counts = &world.tensor(WEFT_DTYPE_I32, {kRows, kVocab})->t;
  }
  maybe(in, a.bias, world.tensor(WEFT_DTYPE_F32, {kRows, kVocab}));
  maybe(in, a.allowed, world.tensor(WEFT_DTYPE_I32, {kRows, kWords}));
  maybe(in, a.status, world.tensor(WEFT_DTYPE_U8, {kRows}));
}

void fuzz_sampling(Input& in) {
  World world;
  Roomy<weft_sampling_config> config(weft_sampling_config_init);
  Roomy<weft_sampling_args> args(weft_sampling_args_init);
  Roomy<weft_target> target(weft_target_init);
  weft_sampling_config& c = config.value;
  weft_sampling_args& a = args.value;
  c.dtype = float_dtype(in), c.vocab_size = kVocab;
  c.order = in.small(0, 1), c.checked = in.small(0, 1);
  add_processing(in, world, c.dtype, a);
  a.seed = &world.tensor(WEFT_DTYPE_I64, {kRows})->t;
  maybe(in, a.offset, world.tensor(WEFT_DTYPE_I64, {kRows}));
  maybe(in, a.top_k, world.ints({5, -3, 71}));
  maybe(in, a.top_p, odd_floats(in, world, {kRows}));
  maybe(in, a.min_p, odd_floats(in, world, {kRows}));
  a.token = &world.tensor(WEFT_DTYPE_I32, {kRows})->t;
  maybe(in, a.logprob, world.tensor(WEFT_DTYPE_F32, {kRows}));
  break_something(in, world, config, sizeof(c), args, offsetof(weft_sampling_args, input));
  weft_sampling_t sampling = nullptr;
  checked(weft_sampling_create(&c, read_target(in, target), world.allocator(), &sampling));
  read_text([&](char* buffer, size_t capacity, size_t* length) {
    return weft_sampling_explain(sampling, buffer, capacity, length);
  });
  const auto run = [&] { return weft_sampling_run(sampling, &a, &world.executor()); };
  if (checked_run(world, run) == WEFT_STATUS_OK && c.vocab_size == kVocab) {
    check_samples(a.token, a.status);
  }
  checked(weft_sampling_destroy(sampling));
}

void fuzz_filter(Input& in) {
  World world;
  Roomy<weft_sampling_config> config(weft_sampling_config_init);
  Roomy<weft_filter_args> args(weft_filter_args_init);
  Roomy<weft_target> target(weft_target_init);
  weft_sampling_config& c = config.value;
  weft_filter_args& a = args.value;
  c.dtype = float_dtype(in), c.vocab_size = kVocab;
  c.input = in.small(0, 1), c.order = in.small(0, 1), c.checked = in.small(0, 1);
  a.input = &world.tensor(c.dtype, {kRows, kVocab})->t;
  if (c.input == WEFT_SAMPLING_LOGITS) maybe(in, a.temperature, odd_floats(in, world, {kRows}));
  maybe(in, a.top_k, world.ints({5, -3, 71}));
  maybe(in, a.top_p, odd_floats(in, world, {kRows}));
  maybe(in, a.min_p, odd_floats(in, world, {kRows}));
  maybe(in, a.status, world.tensor(WEFT_DTYPE_U8, {kRows}));
  const bool masks = in.chance(), in_place = in.chance();
  const int32_t out = masks ? c.dtype : float_dtype(in);
  const weft_tensor* output =
      in_place && out == c.dtype ? a.input : &world.tensor(out, {kRows, kVocab})->t;
  (masks ? a.masked : a.probs) = output;
  break_something(in, world, config, sizeof(c), args, offsetof(weft_filter_args, input));
  weft_sampling_t sampling = nullptr;
  checked(weft_sampling_create(&c, read_target(in, target), world.allocator(), &sampling));
  checked_run(world, [&] { return weft_sampling_filter(sampling, &a, &world.executor()); });
  checked(weft_sampling_destroy(sampling));
}

void fuzz_logprobs(Input& in) {
  World world;
  Roomy<weft_logprobs_config> config(weft_logprobs_config_init);
  Roomy<weft_logprobs_args> args(weft_logprobs_args_init);
  Roomy<weft_target> target(weft_target_init);
  weft_logprobs_config& c = config.value;
  weft_logprobs_args& a = args.value;
  c.dtype = float_dtype(in), c.vocab_size = kVocab, c.num = in.small(1, 80);
  c.checked = in.small(0, 1);
  add_processing(in, world, c.dtype, a);
  a.top_tokens = &world.tensor(WEFT_DTYPE_I32, {kRows, c.num})->t;
  a.top_logprobs = &world.tensor(WEFT_DTYPE_F32, {kRows, c.num})->t;
  if (in.chance()) {
    a.token = &world.ints({0, 69, in.small(-1, 70)})->t;
    a.token_logprob = &world.tensor(WEFT_DTYPE_F32, {kRows})->t;
  }
  break_something(in, world, config, sizeof(c), args, offsetof(weft_logprobs_args, input));
  weft_logprobs_t logprobs = nullptr;
  checked(weft_logprobs_create(&c, read_target(in, target), world.allocator(), &logprobs));
  read_text([&](char* buffer, size_t capacity, size_t* length) {
    return weft_logprobs_explain(logprobs, buffer, capacity, length);
  });
  const auto run = [&] { return weft_logprobs_run(logprobs, &a, &world.executor()); };
  if (checked_run(world, run) == WEFT_STATUS_OK && c.vocab_size == kVocab) {
    const auto* tokens = numbers<int32_t>(a.top_tokens, kRows * c.num);
    for (int64_t i = 0; tokens != nullptr && i < kRows * c.num; ++i) {
      require(tokens[i] >= -1 && tokens[i] < kVocab, "a token of the vocabulary, or none");
    }
  }
  checked(weft_logprobs_destroy(logprobs));
}

void fuzz_topk(Input& in) {
  World world;
  Roomy<weft_topk_config> config(weft_topk_config_init);
  Roomy<weft_topk_args> args(weft_topk_args_init);
  Roomy<weft_target> target(weft_target_init);
  weft_topk_config& c = config.value;
  weft_topk_args& a = args.value;
  c.dtype = float_dtype(in), c.max_len = kVocab, c.k = in.small(1, 80);
  c.sorted = in.small(0, 1), c.checked = in.small(0, 1);
  a.input = &world.tensor(c.dtype, {kRows, kVocab})->t;
  maybe(in, a.row_starts, world.ints({0, 20, 70}));
  a.lengths = &world.ints({70, 50, 0})->t;
  if (in.chance()) {
    c.page_size = 16;
    a.page_table = &world.tensor(WEFT_DTYPE_I32, {kRows, 5})->t;
    maybe(in, a.row_to_batch, world.ints({2, 2, 0}));
  } else {
    maybe(in, a.offsets, world.ints({0, 1000, -5}));
  }
  a.indices = &world.tensor(WEFT_DTYPE_I32, {kRows, c.k})->t;
  maybe(in, a.values, world.tensor(c.dtype, {kRows, c.k}));
  break_something(in, world, config, sizeof(c), args, offsetof(weft_topk_args, input));
  weft_topk_t topk = nullptr;
  checked(weft_topk_create(&c, read_target(in, target), world.allocator(), &topk));
  read_text([&](char* buffer, size_t capacity, size_t* length) {
    return weft_topk_explain(topk, buffer, capacity, length);
  });
  checked_run(world, [&] { return weft_topk_run(topk, &a, &world.executor()); });
  checked(weft_topk_destroy(topk));
}

void fuzz_verify(Input& in) {
  World world;
  Roomy<weft_verify_config> config(weft_verify_config_init);
  Roomy<weft_verify_args> args(weft_verify_args_init);
  Roomy<weft_target> target(weft_target_init);
  weft_verify_config& c = config.value;
  weft_verify_args& a = args.value;
  constexpr int64_t kDrafts = 4;
  c.dtype = float_dtype(in), c.vocab_size = kVocab, c.num_draft = kDrafts, c.tree = in.small(0, 1);
  a.target_probs = &world.tensor(c.dtype, {kRows, kDrafts + 1, kVocab})->t;
  Tensor& drafts = *world.tensor(WEFT_DTYPE_I32, {kRows, kDrafts});
  const int32_t proposed[] = {1, 2, 3, 4, 9, 9, 9, 9, 0, 69, in.small(-1, 70), 5};
  std::memcpy(drafts.t.data, proposed, sizeof(proposed));
  a.draft_tokens = &drafts.t;
  if (c.tree == 1) {
    Tensor& first = *world.tensor(WEFT_DTYPE_I32, {kRows, kDrafts + 1});
    Tensor& next = *world.tensor(WEFT_DTYPE_I32, {kRows, kDrafts + 1});
    for (int64_t i = 0; i < kRows * (kDrafts + 1); ++i) {
      static_cast<int32_t*>(first.t.data)[i] = in.small(-1, 5);
      static_cast<int32_t*>(next.t.data)[i] = in.small(-1, 5);
    }
    a.first_child = &first.t, a.next_sibling = &next.t;
  } else {
    a.draft_probs = &world.tensor(c.dtype, {kRows, kDrafts, kVocab})->t;
  }
  a.seed = &world.tensor(WEFT_DTYPE_I64, {kRows})->t;
  a.tokens = &world.tensor(WEFT_DTYPE_I32, {kRows, kDrafts + 1})->t;
  maybe(in, a.accepted, world.tensor(WEFT_DTYPE_I32, {kRows}));
  maybe(in, a.emitted, world.tensor(WEFT_DTYPE_I32, {kRows}));
  maybe(in, a.status, world.tensor(WEFT_DTYPE_U8, {kRows}));
  break_something(in, world, config, sizeof(c), args, offsetof(weft_verify_args, draft_probs));
  weft_verify_t verify = nullptr;
  checked(weft_verify_create(&c, read_target(in, target), world.allocator(), &verify));
  read_text([&](char* buffer, size_t capacity, size_t* length) {
    return weft_verify_explain(verify, buffer, capacity, length);
  });
  const auto run = [&] { return weft_verify_run(verify, &a, &world.executor()); };
  if (checked_run(world, run) == WEFT_STATUS_OK && c.vocab_size == kVocab) {
    const auto* tokens = numbers<int32_t>(a.tokens, kRows * (kDrafts + 1));
    for (int64_t i = 0; tokens != nullptr && i < kRows * (kDrafts + 1); ++i) {
      require(tokens[i] >= -1 && tokens[i] < kVocab, "a token of the vocabulary, or none");
    }
  }
  checked(weft_verify_destroy(verify));
}

}  // namespace
}  // namespace weft::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weft::fuzz;
  void (*const targets[])(Input&) = {fuzz_norm,   fuzz_activation, fuzz_packbits, fuzz_sampling,
                                     fuzz_filter, fuzz_logprobs,   fuzz_topk,     fuzz_verify};
  Input in(data, size);
  targets[in.byte() % 8](in);
  return 0;
}
