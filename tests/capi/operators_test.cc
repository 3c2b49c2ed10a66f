// SPDX-License-Identifier: Apache-2.0
// append, merge and rope with every field set away from its default: the same bits through the C
// ABI as through the C++ API, on copies of the same memory.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tests/capi/convert.h"
#include "tests/cases/random.h"

namespace weft::capi_test {
namespace {

/// Memory of a call: random floats below 4, cut into tensors in order. Two of the same seed are
/// equal, tensor by tensor.
class Arena {
 public:
  explicit Arena(uint64_t seed) : memory_(1 << 14), random_(seed) {
    for (float& x : memory_) x = static_cast<float>(random_.normal());
  }
  TensorView tensor(DType dtype, std::initializer_list<int64_t> shape) {
    TensorView view(static_cast<void*>(memory_.data() + used_), dtype, shape);
    used_ += static_cast<size_t>(view.numel()) + 5;
    EXPECT_LE(used_, memory_.size());
    return view;
  }
  TensorView ints(std::initializer_list<int32_t> values) {
    const TensorView view = tensor(DType::i32, {static_cast<int64_t>(values.size())});
    std::memcpy(view.data, values.begin(), values.size() * sizeof(int32_t));
    return view;
  }
  TensorView positive(int64_t n) {
    const TensorView view = tensor(DType::f32, {n});
    for (int64_t i = 0; i < n; ++i) static_cast<float*>(view.data)[i] = 0.5f + 0.25f * float(i);
    return view;
  }
  bool operator==(const Arena& other) const {
    return std::memcmp(memory_.data(), other.memory_.data(), memory_.size() * sizeof(float)) == 0;
  }

 private:
  std::vector<float> memory_;
  size_t used_ = 0;
  cases::Random random_;
};

constexpr Rope kLlama{.mode = RopeMode::interleaved,
                      .dim = 12,
                      .theta = 700,
                      .scale = 4,
                      .llama31 = true,
                      .low_freq_factor = 1.5f,
                      .high_freq_factor = 3.5f,
                      .old_context_len = 64};

AppendArgs append_args(Arena& arena, const AppendConfig& c, bool with_cache) {
  const DType kv = c.dtype_kv;
  AppendArgs args;
  args.k = arena.tensor(c.dtype, {3, 2, 16});
  args.v = arena.tensor(c.dtype, {3, 2, 8});
  args.batch_indices = arena.ints({0, 1, 1});
  args.positions = arena.ints({5, 0, 7});
  args.kv_indptr = arena.ints({0, 2, 4});
  args.kv_indices = arena.ints({4, 0, 1, 3});
  args.k_cache = arena.tensor(kv, {5, 2, 4, 16});
  args.v_cache = arena.tensor(kv, {5, 2, 4, 8});
  args.k_scale = 0.75f;
  args.v_scale = 1.25f;
  args.k_scales = arena.positive(2);
  args.v_scales = arena.positive(2);
  args.q = arena.tensor(c.dtype, {3, 4, 16});
  args.q_out = arena.tensor(c.dtype_q_out, {3, 4, 16});
  args.rope_positions = arena.ints({30, 31, 2});
  args.k_weight = arena.tensor(c.dtype, {16});
  args.q_weight = arena.tensor(c.dtype, {16});
  args.q_scale = 0.4f;
  if (with_cache) args.cos_sin_cache = arena.tensor(DType::f32, {40, 12});
  return args;
}

TEST(OperatorsInC, Append) {
  const AppendConfig config{.dtype = DType::f16,
                            .dtype_kv = DType::e4m3,
                            .num_kv_heads = 2,
                            .num_qo_heads = 4,
                            .head_dim_qk = 16,
                            .head_dim_vo = 8,
                            .page_size = 4,
                            .kv_layout = KvLayout::hnd,
                            .rope = kLlama,
                            .checked = false,
                            .qk_norm = true,
                            .norm_eps = 0.25f,
                            .norm_weight_offset = 1,
                            .dtype_q_out = DType::e5m2};
  for (const bool with_cache : {false, true}) {
    Arena untouched(1), in_cpp(1), in_c(1);
    append_args(untouched, config, with_cache);
    Append(config).run(append_args(in_cpp, config, with_cache));
    weft_rope_form form;
    Tensors tensors;
    const weft_append_config c_config = to_c(config, form);
    const weft_append_args args = to_c(append_args(in_c, config, with_cache), tensors);
    weft_append_t append = nullptr;
    ASSERT_EQ(weft_append_create(&c_config, nullptr, nullptr, &append), WEFT_STATUS_OK);
    EXPECT_EQ(weft_append_run(append, &args, nullptr), WEFT_STATUS_OK) << weft_last_error();
    EXPECT_TRUE(in_c == in_cpp);
    EXPECT_FALSE(in_c == untouched);
    char text[512];
    EXPECT_EQ(weft_append_explain(append, text, sizeof(text), nullptr), WEFT_STATUS_OK);
    EXPECT_EQ(text, Append(config).explain());
    EXPECT_EQ(weft_append_destroy(append), WEFT_STATUS_OK);
  }
}

NormArgs norm_args(Arena& arena, const NormConfig& c) {
  NormArgs args;
  args.x = arena.tensor(c.dtype, {3, 2, 24});
  args.weight = arena.tensor(c.dtype_weight, {2, 24});
  args.bias = arena.tensor(c.dtype_weight, {24});
  args.residual = arena.tensor(c.dtype, {3, 2, 24});
  args.out = arena.tensor(c.dtype_out, {3, 2, 24});
  args.scale = 0.125f;
  args.scales = arena.positive(2);
  return args;
}

TEST(OperatorsInC, Norm) {
  const NormConfig config{.dtype = DType::f16,
                          .dtype_out = DType::e4m3,
                          .dtype_weight = DType::f32,
                          .hidden = 24,
                          .num_heads = 2,
                          .kind = NormKind::layer,
                          .residual = true,
                          .eps = 0.5f,
                          .weight_offset = 1};
  Arena untouched(1), in_cpp(1), in_c(1);
  norm_args(untouched, config);
  Norm(config).run(norm_args(in_cpp, config));
  Tensors tensors;
  const weft_norm_config c_config = to_c(config);
  const weft_norm_args args = to_c(norm_args(in_c, config), tensors);
  weft_norm_t norm = nullptr;
  ASSERT_EQ(weft_norm_create(&c_config, nullptr, nullptr, &norm), WEFT_STATUS_OK);
  EXPECT_EQ(weft_norm_run(norm, &args, nullptr), WEFT_STATUS_OK) << weft_last_error();
  EXPECT_TRUE(in_c == in_cpp);
  EXPECT_FALSE(in_c == untouched);
  char text[512];
  EXPECT_EQ(weft_norm_explain(norm, text, sizeof(text), nullptr), WEFT_STATUS_OK);
  EXPECT_EQ(text, Norm(config).explain());
  EXPECT_EQ(weft_norm_destroy(norm), WEFT_STATUS_OK);
}

ActivationArgs activation_args(Arena& arena, const ActivationConfig& c) {
  ActivationArgs args;
  args.x = arena.tensor(c.dtype, {5, 48});
  args.out = arena.tensor(c.dtype_out, {5, 24});
  args.scale = 0.125f;
  args.scales = arena.positive(1);
  return args;
}

TEST(OperatorsInC, Activation) {
  const ActivationConfig config{.dtype = DType::f16,
                                .dtype_out = DType::e4m3,
                                .kind = ActivationKind::gelu_tanh,
                                .hidden = 24};
  Arena untouched(1), in_cpp(1), in_c(1);
  activation_args(untouched, config);
  Activation(config).run(activation_args(in_cpp, config));
  Tensors tensors;
  const weft_activation_config c_config = to_c(config);
  const weft_activation_args args = to_c(activation_args(in_c, config), tensors);
  weft_activation_t activation = nullptr;
  ASSERT_EQ(weft_activation_create(&c_config, nullptr, nullptr, &activation), WEFT_STATUS_OK);
  EXPECT_EQ(weft_activation_run(activation, &args, nullptr), WEFT_STATUS_OK) << weft_last_error();
  EXPECT_TRUE(in_c == in_cpp);
  EXPECT_FALSE(in_c == untouched);
  char text[512];
  EXPECT_EQ(weft_activation_explain(activation, text, sizeof(text), nullptr), WEFT_STATUS_OK);
  EXPECT_EQ(text, Activation(config).explain());
  EXPECT_EQ(weft_activation_destroy(activation), WEFT_STATUS_OK);
}

PackBitsArgs packbits_args(Arena& arena) {
  PackBitsArgs args;
  args.x = arena.tensor(DType::u8, {40});
  args.indptr = arena.ints({0, 9, 9, 38});
  args.out_indptr = arena.ints({1, 3, 3, 8});
  args.out = arena.tensor(DType::u8, {8});
  return args;
}

TEST(OperatorsInC, PackBits) {
  Arena untouched(1), in_cpp(1), in_c(1);
  packbits_args(untouched);
  PackBits({.order = BitOrder::big}).run(packbits_args(in_cpp));
  Tensors tensors;
  weft_packbits_config config;
  weft_packbits_config_init(&config, sizeof(config));
  config.order = WEFT_BIT_ORDER_BIG;
  const weft_packbits_args args = to_c(packbits_args(in_c), tensors);
  weft_packbits_t packbits = nullptr;
  ASSERT_EQ(weft_packbits_create(&config, nullptr, nullptr, &packbits), WEFT_STATUS_OK);
  EXPECT_EQ(weft_packbits_run(packbits, &args, nullptr), WEFT_STATUS_OK) << weft_last_error();
  EXPECT_TRUE(in_c == in_cpp);
  EXPECT_FALSE(in_c == untouched);
  char text[128];
  EXPECT_EQ(weft_packbits_explain(packbits, text, sizeof(text), nullptr), WEFT_STATUS_OK);
  EXPECT_EQ(text, PackBits({.order = BitOrder::big}).explain());
  EXPECT_EQ(weft_packbits_run(nullptr, &args, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_packbits_run(packbits, nullptr, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_packbits_destroy(packbits), WEFT_STATUS_OK);
  EXPECT_EQ(weft_packbits_create_cuda(&config, nullptr, nullptr, &packbits),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(packbits, nullptr);
}

MergeArgs merge_args(Arena& arena) {
  MergeArgs args;
  args.o_in = arena.tensor(DType::bf16, {5, 3, 2, 8});
  args.lse_in = arena.tensor(DType::f32, {5, 3, 2});
  args.o = arena.tensor(DType::f32, {5, 2, 8});
  args.lse = arena.tensor(DType::f32, {5, 2});
  return args;
}

MergePairArgs pair_args(Arena& arena) {
  MergePairArgs args;
  args.o_a = arena.tensor(DType::bf16, {5, 2, 8});
  args.lse_a = arena.tensor(DType::f32, {5, 2});
  args.o_b = arena.tensor(DType::bf16, {5, 2, 8});
  args.lse_b = arena.tensor(DType::f32, {5, 2});
  args.o = arena.tensor(DType::f32, {5, 2, 8});
  args.lse = arena.tensor(DType::f32, {5, 2});
  args.mask = arena.tensor(DType::u8, {5});
  std::memcpy(args.mask.data, "\1\0\1\0\1", 5);
  return args;
}

TEST(OperatorsInC, Merge) {
  const MergeConfig config{.dtype = DType::bf16,
                           .dtype_o = DType::f32,
                           .num_heads = 2,
                           .head_dim = 8,
                           .lse_base2 = true};
  Arena in_cpp(2), in_c(2), pair_in_cpp(3), pair_in_c(3);
  Merge(config).run(merge_args(in_cpp));
  Merge(config).run(pair_args(pair_in_cpp));
  Tensors tensors;
  const weft_merge_config c_config = to_c(config);
  const weft_merge_args args = to_c(merge_args(in_c), tensors);
  const weft_merge_pair_args pair = to_c(pair_args(pair_in_c), tensors);
  weft_merge_t merge = nullptr;
  ASSERT_EQ(weft_merge_create(&c_config, nullptr, nullptr, &merge), WEFT_STATUS_OK);
  EXPECT_EQ(weft_merge_run(merge, &args, nullptr), WEFT_STATUS_OK) << weft_last_error();
  EXPECT_EQ(weft_merge_run_pair(merge, &pair, nullptr), WEFT_STATUS_OK) << weft_last_error();
  EXPECT_TRUE(in_c == in_cpp);
  EXPECT_TRUE(pair_in_c == pair_in_cpp);
  EXPECT_FALSE(in_c == Arena(2));
  EXPECT_EQ(weft_merge_destroy(merge), WEFT_STATUS_OK);
}

enum class Where { positions, offsets, cache };

RopeArgs rope_args(Arena& arena, Where where) {
  RopeArgs args;
  args.q = arena.tensor(DType::bf16, {3, 4, 16});
  args.k = arena.tensor(DType::bf16, {3, 2, 16});
  args.q_out = arena.tensor(DType::bf16, {3, 4, 16});
  args.k_out = arena.tensor(DType::bf16, {3, 2, 16});
  if (where == Where::offsets) {
    args.indptr = arena.ints({0, 2, 3});
    args.offsets = arena.ints({4, 11});
  } else {
    args.positions = arena.ints({7, 3, 100});
  }
  if (where == Where::cache) args.cos_sin_cache = arena.tensor(DType::f32, {101, 12});
  return args;
}

TEST(OperatorsInC, Rope) {
  const RopeConfig config{.dtype = DType::bf16,
                          .num_qo_heads = 4,
                          .num_kv_heads = 2,
                          .head_dim = 16,
                          .rope = kLlama,
                          .checked = false};
  for (const Where where : {Where::positions, Where::offsets, Where::cache}) {
    Arena in_cpp(4), in_c(4), untouched(4);
    rope_args(untouched, where);
    RopeOp(config).run(rope_args(in_cpp, where));
    weft_rope_form form;
    Tensors tensors;
    const weft_rope_config c_config = to_c(config, form);
    const weft_rope_args args = to_c(rope_args(in_c, where), tensors);
    weft_rope_t rope = nullptr;
    ASSERT_EQ(weft_rope_create(&c_config, nullptr, nullptr, &rope), WEFT_STATUS_OK);
    EXPECT_EQ(weft_rope_run(rope, &args, nullptr), WEFT_STATUS_OK) << weft_last_error();
    EXPECT_TRUE(in_c == in_cpp);
    EXPECT_FALSE(in_c == untouched);
    EXPECT_EQ(weft_rope_destroy(rope), WEFT_STATUS_OK);
  }
}

TEST(OperatorsInC, CheckedArrives) {
  AppendConfig config{.dtype = DType::f32, .num_kv_heads = 1, .head_dim_qk = 8, .page_size = 4};
  weft_rope_form form;
  weft_append_config c_config = to_c(config, form);
  size_t with = 0, without = 0;
  weft_append_t append = nullptr;
  ASSERT_EQ(weft_append_create(&c_config, nullptr, nullptr, &append), WEFT_STATUS_OK);
  weft_append_explain(append, nullptr, 0, &with);
  weft_append_destroy(append);
  c_config.checked = 0;
  ASSERT_EQ(weft_append_create(&c_config, nullptr, nullptr, &append), WEFT_STATUS_OK);
  weft_append_explain(append, nullptr, 0, &without);
  weft_append_destroy(append);
  EXPECT_NE(with, without);
  c_config.checked = 2;
  EXPECT_EQ(weft_append_create(&c_config, nullptr, nullptr, &append), WEFT_STATUS_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace weft::capi_test
