// SPDX-License-Identifier: Apache-2.0
// Everything norm refuses. Each row breaks one thing of a call that works.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/cases/refusal.h"
#include "weft/norm.h"

namespace weft::cases {
namespace {

struct Call {
  Call() {
    buffers.reserve(16);
    args.x = tensor(DType::f16, {3, 2, 16});
    args.weight = tensor(DType::f32, {16});
    args.bias = tensor(DType::f32, {2, 16});
    args.residual = tensor(DType::f16, {3, 2, 16});
    args.out = tensor(DType::e4m3, {3, 2, 16});
    args.scales = tensor(DType::f32, {2});
    static_cast<float*>(args.scales.data)[0] = static_cast<float*>(args.scales.data)[1] = 1;
  }
  TensorView tensor(DType dtype, std::initializer_list<int64_t> shape) {
    size_t n = 4;
    for (int64_t s : shape) n *= static_cast<size_t>(s);
    return TensorView(buffers.emplace_back(n, 0).data(), dtype, shape);
  }
  std::string refusal(const std::string& argument, const std::string& part) const {
    std::vector<const Buffer*> watched;
    for (const Buffer& b : buffers) watched.push_back(&b);
    return check_refusal([&] { Norm(config).run(args); }, ErrorKind::invalid_argument, argument,
                         part, watched);
  }

  NormConfig config{.dtype = DType::f16,
                    .dtype_out = DType::e4m3,
                    .dtype_weight = DType::f32,
                    .hidden = 16,
                    .num_heads = 2,
                    .kind = NormKind::layer,
                    .residual = true};
  NormArgs args;
  std::vector<Buffer> buffers;
};

TEST(NormRefuses, NothingOfARightCall) {
  Call call;
  EXPECT_NO_THROW(Norm(call.config).run(call.args));
  call.args.weight = call.args.bias = call.args.scales = {};
  EXPECT_NO_THROW(Norm(call.config).run(call.args));
  call.config.dtype_out = DType::f16;
  call.args.out = call.args.x;
  EXPECT_NO_THROW(Norm(call.config).run(call.args));
}

TEST(NormRefuses, WrongTensors) {
  struct Argument {
    const char* name;
    TensorView NormArgs::*field;
    bool output, optional;
  };
  const Argument arguments[] = {
      {"x", &NormArgs::x, false, false},      {"weight", &NormArgs::weight, false, true},
      {"bias", &NormArgs::bias, false, true}, {"residual", &NormArgs::residual, true, false},
      {"out", &NormArgs::out, true, false},   {"scales", &NormArgs::scales, false, true},
  };
  for (const Argument& argument : arguments) {
    std::vector<TensorFault> faults = tensor_faults();
    if (argument.output) {
      faults.insert(faults.end(), output_faults().begin(), output_faults().end());
    }
    for (const TensorFault& fault : faults) {
      if (argument.optional && std::string(fault.name) == "absent") continue;
      SCOPED_TRACE(std::string(argument.name) + ": " + fault.name);
      Call call;
      fault.apply(call.args.*argument.field);
      EXPECT_EQ(call.refusal(argument.name, fault.part), "");
    }
  }
}

TEST(NormRefuses, WrongValues) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (const float scale : {0.0f, -1.0f, NAN, kInf}) {
    Call call;
    call.args.scale = scale;
    EXPECT_EQ(call.refusal("scale", "a positive finite number"), "");
    Call in_tensor;
    static_cast<float*>(in_tensor.args.scales.data)[1] = scale;
    EXPECT_EQ(in_tensor.refusal("scales", "a positive finite scales[1]"), "");
  }
}

TEST(NormRefuses, Overlap) {
  Call call;
  call.args.out = TensorView(call.args.x.data, DType::e4m3, {3, 2, 16});
  EXPECT_EQ(call.refusal("out", "x"), "") << "in place, but of another dtype";
  Call residual;
  residual.args.residual = residual.args.x;
  EXPECT_EQ(residual.refusal("residual", "x"), "");
  Call both;
  both.args.out = TensorView(both.args.residual.data, DType::e4m3, {3, 2, 16});
  EXPECT_EQ(both.refusal("out", "residual"), "");
  Call weight;
  weight.args.weight = TensorView(weight.args.out.data, DType::f32, {16});
  EXPECT_EQ(weight.refusal("out", "weight"), "");
}

TEST(NormRefuses, WhatTheConfigDoesNotSay) {
  Call call;
  call.config.residual = false;
  EXPECT_EQ(call.refusal("residual", "nothing with config.residual = false"), "");
  Call bias;
  bias.config.kind = NormKind::rms;
  EXPECT_EQ(bias.refusal("bias", "nothing with an rms norm"), "");
  Call offset;
  offset.config.weight_offset = 1;
  offset.args.weight = {};
  EXPECT_EQ(offset.refusal("weight", "as weight_offset is given"), "");
}

TEST(NormRefuses, WrongConfigs) {
  struct Row {
    const char* argument;
    void (*spoil)(NormConfig&);
    const char* part;
  };
  const Row rows[] = {
      {"dtype", [](NormConfig& c) { c.dtype = DType::e4m3; }, "f32, f16 or bf16, got e4m3"},
      {"dtype", [](NormConfig& c) { c.dtype = DType::none; }, "got none"},
      {"dtype_out", [](NormConfig& c) { c.dtype_out = DType::i32; }, "e4m3 or e5m2, got i32"},
      {"dtype_weight", [](NormConfig& c) { c.dtype_weight = DType::bf16; }, "f16 or f32, got bf16"},
      {"hidden", [](NormConfig& c) { c.hidden = 0; }, "1 <= hidden"},
      {"hidden", [](NormConfig& c) { c.hidden = (1 << 24) + 1; }, "hidden <= 16777216"},
      {"num_heads", [](NormConfig& c) { c.num_heads = -1; }, "0 <= num_heads"},
      {"kind", [](NormConfig& c) { c.kind = static_cast<NormKind>(2); }, "got 2"},
      {"eps", [](NormConfig& c) { c.eps = -1e-6f; }, "a finite number >= 0"},
      {"eps", [](NormConfig& c) { c.eps = NAN; }, "a finite number >= 0"},
      {"weight_offset", [](NormConfig& c) { c.weight_offset = NAN; }, "a finite number"},
  };
  for (const Row& row : rows) {
    Call call;
    row.spoil(call.config);
    EXPECT_EQ(call.refusal(row.argument, row.part), "") << row.argument << " " << row.part;
  }
}

}  // namespace
}  // namespace weft::cases
