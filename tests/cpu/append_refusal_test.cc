// SPDX-License-Identifier: Apache-2.0
// Everything append and batch_indices_positions refuse: configs, tensors, indices, overlaps. Each
// row breaks one thing of a call that works.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/cases/attention_data.h"
#include "tests/cases/refusal.h"
#include "weft/append.h"

namespace weft::cases {
namespace {

AppendConfig small_config() {
  return {.dtype = DType::f32,
          .num_kv_heads = 2,
          .num_qo_heads = 4,
          .head_dim_qk = 16,
          .head_dim_vo = 8,
          .page_size = 4,
          .rope = {.mode = RopeMode::neox},
          .qk_norm = true};
}

/// Three tokens for two requests of two pages each; all optional tensors given.
struct Call {
  Call() {
    const auto tensor = [&](std::initializer_list<int64_t> shape) {
      int64_t n = 1;
      for (int64_t s : shape) n *= s;
      return TensorView(buffers.emplace_back(static_cast<size_t>(n) * 4, 0).data(), DType::f32,
                        shape);
    };
    buffers.reserve(32);
    args.k = tensor({3, 2, 16});
    args.v = tensor({3, 2, 8});
    args.k_cache = tensor({5, 4, 2, 16});
    args.v_cache = tensor({5, 4, 2, 8});
    args.q = tensor({3, 4, 16});
    args.q_out = tensor({3, 4, 16});
    args.cos_sin_cache = tensor({8, 16});
    args.k_weight = tensor({16});
    args.q_weight = tensor({16});
    args.k_scales = make_floats({1, 2}, buffers);
    args.v_scales = make_floats({2, 1}, buffers);
    args.batch_indices = make_ints({0, 1, 1}, buffers);
    args.positions = make_ints({5, 6, 7}, buffers);
    args.rope_positions = make_ints({1, 2, 3}, buffers);
    args.kv_indptr = make_ints({0, 2, 4}, buffers);
    args.kv_indices = make_ints({4, 0, 1, 3}, buffers);
  }
  int32_t* ints(const TensorView& t) const { return static_cast<int32_t*>(t.data); }
  float* floats(const TensorView& t) const { return static_cast<float*>(t.data); }
  std::string refusal(const std::string& argument, const std::string& part) const {
    std::vector<const Buffer*> watched;
    for (const Buffer& b : buffers) watched.push_back(&b);
    return check_refusal([&] { Append(config).run(args); }, ErrorKind::invalid_argument, argument,
                         part, watched);
  }

  AppendConfig config = small_config();
  AppendArgs args;
  std::vector<Buffer> buffers;
};

TEST(AppendRefuses, NothingOfARightCall) {
  const Call call;
  EXPECT_NO_THROW(Append(call.config).run(call.args));
}

TEST(AppendRefuses, ATargetThatIsNoCpu) {
  EXPECT_EQ(check_refusal([] { Append(small_config(), Target::h200()); }, ErrorKind::unsupported,
                          "target", "a CudaBackend in place of the target", {}),
            "");
}

struct TensorArgument {
  const char* name;
  TensorView AppendArgs::*field;
  enum Kind { input, output, optional } kind;
};

constexpr TensorArgument kTensors[] = {
    {"k", &AppendArgs::k, TensorArgument::input},
    {"v", &AppendArgs::v, TensorArgument::input},
    {"batch_indices", &AppendArgs::batch_indices, TensorArgument::input},
    {"positions", &AppendArgs::positions, TensorArgument::input},
    {"kv_indptr", &AppendArgs::kv_indptr, TensorArgument::input},
    {"kv_indices", &AppendArgs::kv_indices, TensorArgument::input},
    {"k_cache", &AppendArgs::k_cache, TensorArgument::output},
    {"v_cache", &AppendArgs::v_cache, TensorArgument::output},
    {"q", &AppendArgs::q, TensorArgument::input},
    {"q_out", &AppendArgs::q_out, TensorArgument::output},
    {"k_weight", &AppendArgs::k_weight, TensorArgument::input},
    {"q_weight", &AppendArgs::q_weight, TensorArgument::input},
    {"k_scales", &AppendArgs::k_scales, TensorArgument::optional},
    {"v_scales", &AppendArgs::v_scales, TensorArgument::optional},
    {"rope_positions", &AppendArgs::rope_positions, TensorArgument::optional},
    {"cos_sin_cache", &AppendArgs::cos_sin_cache, TensorArgument::optional},
};

TEST(AppendRefuses, WrongTensors) {
  for (const TensorArgument& argument : kTensors) {
    for (const TensorFault& fault : tensor_faults()) {
      if (argument.kind == TensorArgument::optional && std::string(fault.name) == "absent")
        continue;
      SCOPED_TRACE(std::string(argument.name) + ": " + fault.name);
      Call call;
      fault.apply(call.args.*argument.field);
      // A shorter array of indptr or indices has a shape that is right and content that is not.
      const bool any_size =
          std::string(fault.name) == "another size" &&
          (argument.field == &AppendArgs::kv_indptr || argument.field == &AppendArgs::kv_indices);
      if (any_size) {
        EXPECT_THROW(Append(call.config).run(call.args), Error);
      } else {
        EXPECT_EQ(call.refusal(argument.name, fault.part), "");
      }
    }
    if (argument.kind != TensorArgument::output) continue;
    for (const TensorFault& fault : output_faults()) {
      SCOPED_TRACE(std::string(argument.name) + ": " + fault.name);
      Call call;
      fault.apply(call.args.*argument.field);
      EXPECT_EQ(call.refusal(argument.name, fault.part), "");
    }
  }
}

struct Row {
  const char* name;
  void (*apply)(Call& call);
  const char* argument;
  const char* part;
};

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

TEST(AppendRefuses, WrongContents) {
  const Row rows[] = {
      {"request -1", [](Call& c) { c.ints(c.args.batch_indices)[1] = -1; }, "batch_indices",
       "0 <= batch_indices[1] < batch_size = 2, got -1"},
      {"request 2 of 2", [](Call& c) { c.ints(c.args.batch_indices)[2] = 2; }, "batch_indices",
       "got 2"},
      {"request INT_MAX", [](Call& c) { c.ints(c.args.batch_indices)[2] = INT32_MAX; },
       "batch_indices", "got 2147483647"},
      {"position -1", [](Call& c) { c.ints(c.args.positions)[0] = -1; }, "positions", "got -1"},
      {"position past the pages", [](Call& c) { c.ints(c.args.positions)[0] = 8; }, "positions",
       "positions[0] < 8 (2 pages of request 0), got 8"},
      {"position INT_MAX", [](Call& c) { c.ints(c.args.positions)[0] = INT32_MAX; }, "positions",
       "got 2147483647"},
      {"request without pages", [](Call& c) { c.ints(c.args.kv_indptr)[1] = 0; }, "positions",
       "0 pages of request 0"},
      {"page -1", [](Call& c) { c.ints(c.args.kv_indices)[1] = -1; }, "kv_indices",
       "num_pages = 5, got -1"},
      {"page 5 of 5", [](Call& c) { c.ints(c.args.kv_indices)[1] = 5; }, "kv_indices", "got 5"},
      {"page INT_MAX", [](Call& c) { c.ints(c.args.kv_indices)[3] = INT32_MAX; }, "kv_indices",
       "got 2147483647"},
      {"indptr below 0", [](Call& c) { c.ints(c.args.kv_indptr)[0] = -1; }, "kv_indptr",
       "kv_indptr[0] >= 0, got -1"},
      {"indptr decreases", [](Call& c) { c.ints(c.args.kv_indptr)[1] = 5; }, "kv_indptr",
       "non-decreasing, kv_indptr[2] >= 5, got 4"},
      {"indptr past the indices", [](Call& c) { c.ints(c.args.kv_indptr)[2] = 5; }, "kv_indices",
       "at least kv_indptr[-1] = 5 elements, got 4"},
      {"angle -1", [](Call& c) { c.ints(c.args.rope_positions)[2] = -1; }, "rope_positions",
       "got -1"},
      {"angle past the cache", [](Call& c) { c.ints(c.args.rope_positions)[2] = 8; },
       "rope_positions", "rope_positions[2] < 8"},
      {"position past the cache",
       [](Call& c) { c.args.rope_positions = {}, --c.args.cos_sin_cache.shape[0]; }, "positions",
       "positions[2] < 7"},
      {"k_scale 0", [](Call& c) { c.args.k_scale = 0; }, "k_scale", "positive finite"},
      {"k_scale NaN", [](Call& c) { c.args.k_scale = kNan; }, "k_scale", "positive finite"},
      {"v_scale infinite", [](Call& c) { c.args.v_scale = kInf; }, "v_scale", "positive finite"},
      {"v_scale negative", [](Call& c) { c.args.v_scale = -1; }, "v_scale", "positive finite"},
      {"k_scales[1] 0", [](Call& c) { c.floats(c.args.k_scales)[1] = 0; }, "k_scales",
       "positive finite k_scales[1]"},
      {"v_scales[0] NaN", [](Call& c) { c.floats(c.args.v_scales)[0] = kNan; }, "v_scales",
       "positive finite v_scales[0]"},
      {"v of other tokens", [](Call& c) { --c.args.v.shape[0]; }, "v", "shape [3, 2, 8]"},
      {"v_cache of fewer pages", [](Call& c) { --c.args.v_cache.shape[0]; }, "v_cache", "shape [5"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Call call;
    row.apply(call);
    EXPECT_EQ(call.refusal(row.argument, row.part), "");
  }
}

TEST(AppendRefuses, OverlapsAndWhatTheConfigDoesNotUse) {
  const Row rows[] = {
      {"k_cache is v_cache",
       [](Call& c) {
         c.config.head_dim_vo = 16, c.args.v = c.args.k, c.args.v_cache = c.args.k_cache;
       },
       "k_cache", "apart from v_cache"},
      {"k inside k_cache", [](Call& c) { c.args.k.data = c.args.k_cache.data; }, "k_cache",
       "apart from k"},
      {"positions inside v_cache", [](Call& c) { c.args.positions.data = c.args.v_cache.data; },
       "v_cache", "apart from positions"},
      {"indices inside q_out", [](Call& c) { c.args.kv_indices.data = c.args.q_out.data; }, "q_out",
       "apart from kv_indices"},
      {"q_out one row after q",
       [](Call& c) {
         c.args.q = TensorView(c.args.k_cache.data, DType::f32, {3, 4, 16});
         c.args.k_cache.data = c.buffers.emplace_back(size_t{5 * 4 * 2 * 16 * 4}, 0).data();
         c.args.q_out = c.args.q, c.args.q_out.data = c.floats(c.args.q) + 64;
       },
       "q_out", "apart from q"},
      {"q without q heads", [](Call& c) { c.config.num_qo_heads = 0; }, "q",
       "nothing with num_qo_heads = 0"},
      {"cache without rope",
       [](Call& c) {
         c.config.num_qo_heads = 0, c.config.rope = {}, c.args.q = c.args.q_out = {};
         c.args.rope_positions = {};
       },
       "cos_sin_cache", "nothing without a rope"},
      {"angles without rope",
       [](Call& c) { c.config.num_qo_heads = 0, c.config.rope = {}, c.args.q = c.args.q_out = {}; },
       "rope_positions", "nothing without a rope"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Call call;
    row.apply(call);
    EXPECT_EQ(call.refusal(row.argument, row.part), "");
  }
  Call in_place;
  in_place.args.q_out = in_place.args.q;
  EXPECT_NO_THROW(Append(in_place.config).run(in_place.args));
}

struct ConfigRow {
  const char* field;
  void (*apply)(AppendConfig& config);
};

TEST(AppendRefuses, WrongConfigs) {
  const ConfigRow rows[] = {
      {"dtype", [](AppendConfig& c) { c.dtype = DType::e4m3; }},
      {"dtype", [](AppendConfig& c) { c.dtype = DType::none; }},
      {"dtype_kv", [](AppendConfig& c) { c.dtype_kv = DType::u8; }},
      {"dtype_kv", [](AppendConfig& c) { c.dtype_kv = static_cast<DType>(200); }},
      {"num_kv_heads", [](AppendConfig& c) { c.num_kv_heads = 0; }},
      {"num_kv_heads", [](AppendConfig& c) { c.num_kv_heads = INT32_MAX; }},
      {"num_qo_heads", [](AppendConfig& c) { c.num_qo_heads = -1; }},
      {"num_qo_heads", [](AppendConfig& c) { c.rope = {}, c.qk_norm = false; }},
      {"head_dim_qk", [](AppendConfig& c) { c.head_dim_qk = 0; }},
      {"head_dim_qk", [](AppendConfig& c) { c.head_dim_qk = INT32_MIN; }},
      {"head_dim_vo", [](AppendConfig& c) { c.head_dim_vo = -1; }},
      {"page_size", [](AppendConfig& c) { c.page_size = 0; }},
      {"page_size", [](AppendConfig& c) { c.page_size = INT32_MAX; }},
      {"kv_layout", [](AppendConfig& c) { c.kv_layout = static_cast<KvLayout>(7); }},
      {"rope.mode", [](AppendConfig& c) { c.rope.mode = static_cast<RopeMode>(9); }},
      {"rope.dim", [](AppendConfig& c) { c.rope.dim = 7; }},
      {"rope.dim", [](AppendConfig& c) { c.rope.dim = 18; }},
      {"rope.dim", [](AppendConfig& c) { c.rope.dim = -2; }},
      {"rope.theta", [](AppendConfig& c) { c.rope.theta = 0; }},
      {"rope.theta", [](AppendConfig& c) { c.rope.theta = kNan; }},
      {"rope.scale", [](AppendConfig& c) { c.rope.scale = kInf; }},
  };
  for (const ConfigRow& row : rows) {
    AppendConfig config = small_config();
    row.apply(config);
    EXPECT_EQ(
        check_refusal([&] { Append{config}; }, ErrorKind::invalid_argument, row.field, "", {}), "");
  }
}

TEST(AppendRefuses, WrongLengthsOfBatchIndicesPositions) {
  struct LengthRow {
    const char* name;
    std::vector<int32_t> indptr, kv_lens;
    int64_t room;
    const char* argument;
    const char* part;
  };
  const LengthRow rows[] = {
      {"not from 0", {1, 2}, {5}, 8, "append_indptr", "first element 0, got 1"},
      {"decreasing", {0, 3, 2}, {5, 5}, 8, "append_indptr", "append_indptr[2] >= 3, got 2"},
      {"below zero", {0, -1}, {5}, 8, "append_indptr", "got -1"},
      {"more new than all", {0, 3}, {2}, 8, "kv_lens", "kv_lens[0] >= its 3 new tokens, got 2"},
      {"negative length", {0, 0}, {-1}, 8, "kv_lens", "got -1"},
      {"too few lengths", {0, 1, 2}, {5}, 8, "kv_lens", "shape [2]"},
      {"no room", {0, 3}, {5}, 2, "batch_indices", "shape [>=3]"},
      {"empty indptr", {}, {}, 8, "append_indptr", "shape [>=1]"},
  };
  for (const LengthRow& row : rows) {
    SCOPED_TRACE(row.name);
    std::vector<Buffer> owners;
    owners.reserve(4);
    const TensorView indptr = make_ints(row.indptr, owners);
    const TensorView lens = make_ints(row.kv_lens, owners);
    const TensorView requests(owners.emplace_back(32).data(), DType::i32, {row.room});
    const TensorView positions(owners.emplace_back(32).data(), DType::i32, {row.room});
    EXPECT_EQ(check_refusal([&] { batch_indices_positions(indptr, lens, requests, positions); },
                            ErrorKind::invalid_argument, row.argument, row.part,
                            {&owners[2], &owners[3]}),
              "");
  }
}

TEST(AppendRefuses, WrongSteps) {
  struct Row {
    const char* argument;
    void (*spoil)(Call&);
    const char* part;
  };
  const Row rows[] = {
      {"k_weight", [](Call& c) { c.config.qk_norm = false; }, "nothing without qk_norm"},
      {"q_weight",
       [](Call& c) {
         c.config.num_qo_heads = 0;
         c.args.q = c.args.q_out = {};
       },
       "nothing without qk_norm and q"},
      {"q_scale", [](Call& c) { c.args.q_scale = 0; }, "a positive finite number"},
      {"q_scale", [](Call& c) { c.args.q_scale = NAN; }, "a positive finite number"},
      {"norm_eps", [](Call& c) { c.config.norm_eps = -1; }, "a finite number >= 0"},
      {"norm_weight_offset", [](Call& c) { c.config.norm_weight_offset = NAN; }, "finite"},
      {"dtype_q_out", [](Call& c) { c.config.dtype_q_out = DType::bf16; }, "f32, e4m3 or e5m2"},
      {"head_dim_qk",
       [](Call& c) { c.config.head_dim_qk = 1026, c.config.rope.mode = RopeMode::none; },
       "head_dim_qk <= 1024"},
      {"q_out", [](Call& c) { c.config.dtype_q_out = DType::e4m3; }, "e4m3"},
      {"k_cache",
       [](Call& c) { c.args.k_weight = c.args.k_cache.select(0, 0).select(0, 0).select(0, 0); },
       "k_weight"},
  };
  for (const Row& row : rows) {
    Call call;
    row.spoil(call);
    EXPECT_EQ(call.refusal(row.argument, row.part), "") << row.argument << " " << row.part;
  }
}

}  // namespace
}  // namespace weft::cases
