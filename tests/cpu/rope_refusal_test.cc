// SPDX-License-Identifier: Apache-2.0
// Everything rope refuses. Each row breaks one thing of a call that works.
#include <gtest/gtest.h>

#include <limits>

#include "tests/cases/attention_data.h"
#include "tests/cases/refusal.h"
#include "weft/rope.h"

namespace weft::cases {
namespace {

constexpr RopeConfig kConfig{.dtype = DType::f32,
                             .num_qo_heads = 4,
                             .num_kv_heads = 2,
                             .head_dim = 16,
                             .rope = {.mode = RopeMode::interleaved, .dim = 8}};

/// Three tokens of two requests, positions by id.
struct Call {
  Call() {
    buffers.reserve(16);
    args.q = tensor({3, 4, 16});
    args.k = tensor({3, 2, 16});
    args.q_out = tensor({3, 4, 16});
    args.k_out = tensor({3, 2, 16});
    args.cos_sin_cache = tensor({10, 8});
    args.positions = make_ints({0, 9, 4}, buffers);
    indptr = make_ints({0, 2, 3}, buffers);
    offsets = make_ints({8, 4}, buffers);
  }
  TensorView tensor(std::initializer_list<int64_t> shape) {
    size_t n = 4;
    for (int64_t s : shape) n *= static_cast<size_t>(s);
    return TensorView(buffers.emplace_back(n, 0).data(), DType::f32, shape);
  }
  void use_indptr() { args.positions = {}, args.indptr = indptr, args.offsets = offsets; }
  int32_t* ints(const TensorView& t) const { return static_cast<int32_t*>(t.data); }
  std::string refusal(const std::string& argument, const std::string& part) const {
    std::vector<const Buffer*> watched;
    for (const Buffer& b : buffers) watched.push_back(&b);
    return check_refusal([&] { RopeOp(config).run(args); }, ErrorKind::invalid_argument, argument,
                         part, watched);
  }

  RopeConfig config = kConfig;
  RopeArgs args;
  TensorView indptr, offsets;
  std::vector<Buffer> buffers;
};

TEST(RopeRefuses, NothingOfARightCall) {
  Call call;
  EXPECT_NO_THROW(RopeOp(call.config).run(call.args));
  call.use_indptr();
  EXPECT_NO_THROW(RopeOp(call.config).run(call.args));
  call.args.q_out = call.args.q;
  call.args.k_out = call.args.k;
  EXPECT_NO_THROW(RopeOp(call.config).run(call.args));
}

struct Argument {
  const char* name;
  TensorView RopeArgs::*field;
  bool output = false;
};

TEST(RopeRefuses, WrongTensors) {
  const Argument arguments[] = {{"q", &RopeArgs::q},
                                {"k", &RopeArgs::k},
                                {"q_out", &RopeArgs::q_out, true},
                                {"k_out", &RopeArgs::k_out, true},
                                {"positions", &RopeArgs::positions},
                                {"cos_sin_cache", &RopeArgs::cos_sin_cache},
                                {"indptr", &RopeArgs::indptr},
                                {"offsets", &RopeArgs::offsets}};
  for (const Argument& argument : arguments) {
    std::vector<TensorFault> faults = tensor_faults();
    if (argument.output) {
      faults.insert(faults.end(), output_faults().begin(), output_faults().end());
    }
    for (const TensorFault& fault : faults) {
      const std::string name = fault.name;
      Call call;
      const bool by_indptr =
          argument.field == &RopeArgs::indptr || argument.field == &RopeArgs::offsets;
      if (by_indptr) call.use_indptr();
      if (name == "absent" && argument.field == &RopeArgs::cos_sin_cache) continue;
      SCOPED_TRACE(std::string(argument.name) + ": " + name);
      fault.apply(call.args.*argument.field);
      if (name == "absent" && argument.field == &RopeArgs::indptr) {
        EXPECT_EQ(call.refusal("positions", "positions, or indptr with offsets"), "");
      } else if (name == "another size" && argument.field == &RopeArgs::indptr) {
        EXPECT_EQ(call.refusal("offsets", "shape [1]"), "");
      } else {
        EXPECT_EQ(call.refusal(argument.name, fault.part), "");
      }
    }
  }
}

struct Row {
  const char* name;
  void (*apply)(Call& call);
  const char* argument;
  const char* part;
};

TEST(RopeRefuses, WrongContentsAndCombinations) {
  const Row rows[] = {
      {"position -1", [](Call& c) { c.ints(c.args.positions)[1] = -1; }, "positions",
       "0 <= positions[1] < 10, got -1"},
      {"position past the cache", [](Call& c) { c.ints(c.args.positions)[2] = 10; }, "positions",
       "got 10"},
      {"indptr not from 0", [](Call& c) { c.use_indptr(), c.ints(c.indptr)[0] = 1; }, "indptr",
       "first element 0, got 1"},
      {"indptr decreases", [](Call& c) { c.use_indptr(), c.ints(c.indptr)[1] = 4; }, "indptr",
       "indptr[2] >= 4, got 3"},
      {"indptr ends early", [](Call& c) { c.use_indptr(), c.ints(c.indptr)[2] = 2; }, "indptr",
       "last element nnz = 3, got 2"},
      {"offset -1", [](Call& c) { c.use_indptr(), c.ints(c.offsets)[1] = -1; }, "offsets",
       "offsets[1] <= 9"},
      {"offset + length past the cache", [](Call& c) { c.use_indptr(), c.ints(c.offsets)[0] = 9; },
       "offsets", "got 9"},
      {"offset INT_MAX, no cache",
       [](Call& c) { c.use_indptr(), c.args.cos_sin_cache = {}, c.ints(c.offsets)[0] = INT32_MAX; },
       "offsets", "got 2147483647"},
      {"both ways", [](Call& c) { c.args.indptr = c.indptr; }, "indptr",
       "nothing beside positions"},
      {"both ways", [](Call& c) { c.args.offsets = c.offsets; }, "offsets",
       "nothing beside positions"},
      {"neither way", [](Call& c) { c.args.positions = {}; }, "positions", "indptr with offsets"},
      {"indptr alone", [](Call& c) { c.use_indptr(), c.args.offsets = {}; }, "offsets",
       "got nothing"},
      {"k without kv heads", [](Call& c) { c.config.num_kv_heads = 0; }, "k",
       "nothing with num_kv_heads = 0"},
      {"k_out without kv heads", [](Call& c) { c.config.num_kv_heads = 0, c.args.k = {}; }, "k_out",
       "nothing with num_kv_heads = 0"},
      {"k of other tokens", [](Call& c) { --c.args.k.shape[0]; }, "k", "shape [3, 2, 16]"},
      {"q_out is k", [](Call& c) { c.args.q_out.data = c.args.k.data; }, "q_out", "apart from k"},
      {"k_out is q", [](Call& c) { c.args.k_out.data = c.args.q.data; }, "k_out", "apart from q"},
      {"outputs meet", [](Call& c) { c.args.k_out.data = c.args.q_out.data; }, "q_out",
       "apart from k_out"},
      {"positions in q_out", [](Call& c) { c.args.positions.data = c.args.q_out.data; }, "q_out",
       "apart from positions"},
      {"cache in k_out", [](Call& c) { c.args.cos_sin_cache.data = c.args.k_out.data; }, "k_out",
       "apart from cos_sin_cache"},
      {"a head off in place",
       [](Call& c) {
         c.args.q.shape[0] = c.args.k.shape[0] = c.args.q_out.shape[0] = c.args.k_out.shape[0] = 2;
         c.args.positions.shape[0] = 2;
         c.args.q_out.data = static_cast<float*>(c.args.q.data) + 16;
       },
       "q_out", "apart from q"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Call call;
    row.apply(call);
    EXPECT_EQ(call.refusal(row.argument, row.part), "");
  }
}

TEST(RopeRefuses, Positions64OutOfRange) {
  for (int64_t bad : {int64_t{-1}, int64_t{1} << 31, INT64_MAX, INT64_MIN}) {
    Call call;
    int64_t positions[3] = {0, bad, 1};
    call.args.cos_sin_cache = {};
    call.args.positions = TensorView(static_cast<const void*>(positions), DType::i64, {3});
    EXPECT_EQ(call.refusal("positions", "positions[1] < 2147483648, got " + std::to_string(bad)),
              "");
  }
}

struct ConfigRow {
  const char* field;
  void (*apply)(RopeConfig& config);
};

TEST(RopeRefuses, WrongConfigs) {
  const ConfigRow rows[] = {
      {"dtype", [](RopeConfig& c) { c.dtype = DType::e4m3; }},
      {"num_qo_heads", [](RopeConfig& c) { c.num_qo_heads = 0; }},
      {"num_qo_heads", [](RopeConfig& c) { c.num_qo_heads = INT32_MAX; }},
      {"num_kv_heads", [](RopeConfig& c) { c.num_kv_heads = -1; }},
      {"head_dim", [](RopeConfig& c) { c.head_dim = 0; }},
      {"head_dim", [](RopeConfig& c) { c.head_dim = INT32_MAX; }},
      {"rope.mode", [](RopeConfig& c) { c.rope.mode = RopeMode::none; }},
      {"rope.mode", [](RopeConfig& c) { c.rope.mode = static_cast<RopeMode>(3); }},
      {"rope.dim", [](RopeConfig& c) { c.rope.dim = 18; }},
      {"rope.dim", [](RopeConfig& c) { c.rope.dim = 3; }},
      {"rope.theta", [](RopeConfig& c) { c.rope.theta = -1; }},
      {"rope.scale", [](RopeConfig& c) { c.rope.scale = std::numeric_limits<float>::quiet_NaN(); }},
      {"rope.high_freq_factor",
       [](RopeConfig& c) { c.rope.llama31 = true, c.rope.high_freq_factor = 1; }},
      {"rope.low_freq_factor",
       [](RopeConfig& c) { c.rope.llama31 = true, c.rope.low_freq_factor = 0; }},
      {"rope.old_context_len",
       [](RopeConfig& c) { c.rope.llama31 = true, c.rope.old_context_len = 0; }},
  };
  for (const ConfigRow& row : rows) {
    RopeConfig config = kConfig;
    row.apply(config);
    EXPECT_EQ(
        check_refusal([&] { RopeOp{config}; }, ErrorKind::invalid_argument, row.field, "", {}), "");
  }
}

// A GPU is named by a CudaBackend; a Target that says so is refused with those words.
TEST(RopeRefuses, ATargetThatIsNoCpu) {
  EXPECT_EQ(check_refusal([] { RopeOp(kConfig, Target::h200()); }, ErrorKind::unsupported, "target",
                          "a CudaBackend in place of the target", {}),
            "");
}

// Legal: no tokens at all.
TEST(RopeRefuses, NotTheEmpty) {
  Call call;
  for (auto field :
       {&RopeArgs::q, &RopeArgs::k, &RopeArgs::q_out, &RopeArgs::k_out, &RopeArgs::positions}) {
    (call.args.*field).shape[0] = 0;
    (call.args.*field).data = nullptr;
  }
  EXPECT_NO_THROW(RopeOp(call.config).run(call.args));
}

}  // namespace
}  // namespace weft::cases
