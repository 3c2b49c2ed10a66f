// SPDX-License-Identifier: Apache-2.0
// Everything attention refuses when it runs: each row breaks one argument of a call that works, and
// no byte of any buffer may change.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/cases/refusal.h"
#include "tests/cases/run_case.h"

namespace weft::cases {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// A planned batch with every optional argument given.
struct Call {
  explicit Call(MaskMode mask = MaskMode::custom, int page_size = 16,
                KvLayout layout = KvLayout::nhd)
      : data(make_attention_data({.name = "call",
                                  .page_size = page_size,
                                  .layout = layout,
                                  .mask = mask,
                                  .requests = {{5, 40}, {1, 16}, {2, 0}},
                                  .head_scales = true,
                                  .sink = true,
                                  .alibi = true},
                                 5)),
        runner(data.config, Target::host()),
        args(data.args) {
    runner.plan(data.batch);
    data.poison_outputs();
  }
  std::string refusal(const std::string& argument, const std::string& part) {
    std::vector<const Buffer*> watched{&data.o, &data.lse, &runner.workspace()};
    for (const Buffer& b : data.inputs) watched.push_back(&b);
    return check_refusal([&] { runner.attention().run(runner.plan(), args); },
                         ErrorKind::invalid_argument, argument, part, watched);
  }

  AttentionData data;
  Runner runner;
  AttentionArgs args;
};

TEST(AttentionRefusesArgs, NothingOfARightCall) {
  for (const MaskMode mask : {MaskMode::none, MaskMode::causal, MaskMode::custom, MaskMode::tree}) {
    Call call(mask);
    EXPECT_NO_THROW(call.runner.attention().run(call.runner.plan(), call.args));
  }
}

struct Argument {
  const char* name;
  TensorView AttentionArgs::*field;
  bool optional = false;
  bool output = false;
};

constexpr Argument kArguments[] = {
    {"q", &AttentionArgs::q},
    {"k", &AttentionArgs::k},
    {"v", &AttentionArgs::v},
    {"o", &AttentionArgs::o, false, true},
    {"lse", &AttentionArgs::lse, true, true},
    {"k_scales", &AttentionArgs::k_scales, true},
    {"v_scales", &AttentionArgs::v_scales, true},
    {"sink", &AttentionArgs::sink, true},
    {"alibi_slopes", &AttentionArgs::alibi_slopes, true},
    {"custom_mask", &AttentionArgs::custom_mask},
    {"mask_indptr", &AttentionArgs::mask_indptr},
};

void check_fault(Call& call, const Argument& argument, const TensorFault& fault) {
  TensorView& tensor = call.args.*argument.field;
  const std::string name = fault.name;
  const bool is_mask = argument.field == &AttentionArgs::custom_mask;
  if (argument.optional && name == "absent") return;
  fault.apply(tensor);
  if (name == "another dtype" && is_mask) tensor.dtype = DType::i32;
  const bool shorter_mask = is_mask && name == "another size";
  // A mask that is too short is told from where the last request's bits end.
  EXPECT_EQ(call.refusal(shorter_mask ? "mask_indptr" : argument.name,
                         shorter_mask                         ? "inside custom_mask"
                         : is_mask && name == "another dtype" ? "got i32"
                                                              : fault.part),
            "");
}

TEST(AttentionRefusesArgs, WrongTensors) {
  for (const Argument& argument : kArguments) {
    std::vector<TensorFault> faults = tensor_faults();
    if (argument.output) {
      faults.insert(faults.end(), output_faults().begin(), output_faults().end());
    }
    for (const TensorFault& fault : faults) {
      Call call;
      SCOPED_TRACE(std::string(argument.name) + ": " + fault.name);
      check_fault(call, argument, fault);
    }
  }
}

/// A size too small or too large, for every dimension that is fixed.
TEST(AttentionRefusesArgs, WrongSizes) {
  for (const bool paged : {true, false}) {
    for (const KvLayout layout : {KvLayout::nhd, KvLayout::hnd}) {
      for (const Argument& argument : kArguments) {
        const Call right(MaskMode::causal, paged ? 16 : 0, layout);
        const TensorView& tensor = right.data.args.*argument.field;
        for (int d = 0; d < tensor.ndim; ++d) {
          for (const int by : {-1, 1}) {
            Call call(MaskMode::causal, paged ? 16 : 0, layout);
            const auto dim = static_cast<size_t>(d);
            const bool is_kv = argument.name[0] == 'k' || argument.name[0] == 'v';
            const bool pages = paged && is_kv && tensor.ndim == 4 && d == 0;
            const bool tokens = tensor.ndim == 3 && is_kv && d == (layout == KvLayout::nhd ? 0 : 1);
            const bool rows = !is_kv && tensor.ndim > 1 && d == 0;
            if (by > 0 && (tokens || rows || pages)) continue;  // more than needed is legal
            if (pages) continue;                                // checked by OtherNumbersOfPages
            SCOPED_TRACE(std::string(argument.name) + "[" + std::to_string(d) + "] by " +
                         std::to_string(by));
            (call.args.*argument.field).shape[dim] += by;
            EXPECT_EQ(call.refusal(argument.name, "expected shape ["), "");
          }
        }
      }
    }
  }
}

TEST(AttentionRefusesArgs, OtherNumbersOfPages) {
  Call call;
  const int64_t pages = call.args.k.shape[0];
  call.args.k.shape[0] = pages + 1;
  EXPECT_EQ(call.refusal("v", "as many pages as k"), "");
  // Checked mode: some id of the batch is beyond the cache.
  call.args.k.shape[0] = call.args.v.shape[0] = 1;
  EXPECT_EQ(call.refusal("kv_indices", "page ids below k.shape[0] = 1"), "");
}

TEST(AttentionRefusesArgs, SwappedTensors) {
  Call call;
  std::swap(call.args.q, call.args.k);
  EXPECT_EQ(call.refusal("q", "expected shape ["), "");
  Call mla;
  AttentionCase c{.name = "swap", .head_dim = 192, .head_dim_vo = 128, .requests = {{1, 30}}};
  AttentionData data = make_attention_data(c, 1);
  Runner runner(data.config, Target::host());
  runner.plan(data.batch);
  std::swap(data.args.k, data.args.v);
  data.poison_outputs();
  EXPECT_EQ(check_refusal([&] { runner.attention().run(runner.plan(), data.args); },
                          ErrorKind::invalid_argument, "k", "expected shape [any, 16, 2, 192]",
                          {&data.o, &data.lse}),
            "");
}

struct ValueRow {
  const char* argument;
  void (*apply)(AttentionArgs& args);
};

TEST(AttentionRefusesArgs, WrongValues) {
  using A = AttentionArgs;
  const ValueRow rows[] = {
      {"sm_scale", [](A& a) { a.sm_scale = kNan; }},
      {"sm_scale", [](A& a) { a.sm_scale = kInfinity; }},
      {"k_scale", [](A& a) { a.k_scale = kNan; }},
      {"k_scale", [](A& a) { a.k_scale = -kInfinity; }},
      {"v_scale", [](A& a) { a.v_scale = kInfinity; }},
      {"v_scale", [](A& a) { a.v_scale = kNan; }},
      {"logits_soft_cap", [](A& a) { a.logits_soft_cap = -1; }},
      {"logits_soft_cap", [](A& a) { a.logits_soft_cap = 1e-40f; }},
      {"logits_soft_cap", [](A& a) { a.logits_soft_cap = kNan; }},
      {"logits_soft_cap", [](A& a) { a.logits_soft_cap = kInfinity; }},
      {"window_left", [](A& a) { a.window_left = -2; }},
      {"window_left", [](A& a) { a.window_left = INT32_MIN; }},
  };
  for (const ValueRow& row : rows) {
    Call call;
    row.apply(call.args);
    EXPECT_EQ(call.refusal(row.argument, ""), "") << row.argument;
  }
}

struct MaskRow {
  const char* what;
  std::vector<int32_t> indptr;
  const char* part;
};

TEST(AttentionRefusesArgs, WrongMasks) {
  // Bits of the three requests: 5 x 40, 1 x 16 and none: 25 and 2 bytes.
  const MaskRow rows[] = {
      {"negative", {0, -1, 27, 27}, "mask_indptr[1] with 2 bytes"},
      {"behind the end", {3, 25, 27, 27}, "mask_indptr[0] with 25 bytes"},
      {"far behind the end", {0, INT32_MAX, 27, 27}, "got 2147483647"},
      {"last too far", {0, 26, 27, 27}, "inside custom_mask of 27"},
      {"too few", {0, 25, 27}, "shape [>=4]"},
  };
  for (const MaskRow& row : rows) {
    Call call;
    std::vector<Buffer> owners;
    call.args.mask_indptr = make_ints(row.indptr, owners);
    EXPECT_EQ(call.refusal("mask_indptr", row.part), "") << row.what;
  }
  for (const MaskMode mask : {MaskMode::none, MaskMode::causal}) {
    Call call(mask);
    const Call other;
    call.args.custom_mask = other.args.custom_mask;
    EXPECT_EQ(call.refusal("custom_mask", "nothing with config.mask"), "");
    call.args.custom_mask = {};
    call.args.mask_indptr = other.args.mask_indptr;
    EXPECT_EQ(call.refusal("mask_indptr", "nothing with config.mask"), "");
  }
}

TEST(AttentionRefusesArgs, Overlaps) {
  for (const Argument& input : kArguments) {
    if (input.output) continue;
    Call call;
    call.args.o.data = (call.args.*input.field).data;
    EXPECT_EQ(call.refusal("o", std::string("apart from ") + input.name), "");
    call = Call();
    call.args.lse.data = (call.args.*input.field).data;
    EXPECT_EQ(call.refusal("lse", std::string("apart from ") + input.name), "");
  }
  Call call;
  call.args.lse.data = call.args.o.data;
  EXPECT_EQ(call.refusal("o", "apart from lse"), "");
}

TEST(AttentionRefusesArgs, MisalignedData) {
  for (const Argument& argument : kArguments) {
    if (argument.field == &AttentionArgs::custom_mask) continue;
    Call call;
    TensorView& tensor = call.args.*argument.field;
    tensor.data = static_cast<char*>(tensor.data) + 1;
    EXPECT_EQ(call.refusal(argument.name, "a misaligned pointer"), "") << argument.name;
  }
}

}  // namespace
}  // namespace weft::cases
