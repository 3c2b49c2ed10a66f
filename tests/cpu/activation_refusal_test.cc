// SPDX-License-Identifier: Apache-2.0
// Everything activation refuses. Each row breaks one thing of a call that works.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/cases/refusal.h"
#include "weft/activation.h"

namespace weft::cases {
namespace {

struct Call {
  Call() {
    buffers.reserve(4);
    args.x = TensorView(buffers.emplace_back(256, 0).data(), DType::f16, {3, 32});
    args.out = TensorView(buffers.emplace_back(256, 0).data(), DType::f16, {3, 16});
    args.scales = TensorView(buffers.emplace_back(8, 0).data(), DType::f32, {1});
    *static_cast<float*>(args.scales.data) = 1;
  }
  std::string refusal(const std::string& argument, const std::string& part) const {
    std::vector<const Buffer*> watched;
    for (const Buffer& b : buffers) watched.push_back(&b);
    return check_refusal([&] { Activation(config).run(args); }, ErrorKind::invalid_argument,
                         argument, part, watched);
  }

  ActivationConfig config{.dtype = DType::f16, .hidden = 16};
  ActivationArgs args;
  std::vector<Buffer> buffers;
};

TEST(ActivationRefuses, NothingOfARightCall) {
  Call call;
  EXPECT_NO_THROW(Activation(call.config).run(call.args));
  call.args.scales = {};
  call.args.out = call.args.x.slice(1, 0, 16);
  EXPECT_NO_THROW(Activation(call.config).run(call.args));
}

TEST(ActivationRefuses, WrongTensors) {
  struct Argument {
    const char* name;
    TensorView ActivationArgs::*field;
    bool output, optional;
  };
  for (const Argument& argument : {Argument{"x", &ActivationArgs::x, false, false},
                                   Argument{"out", &ActivationArgs::out, true, false},
                                   Argument{"scales", &ActivationArgs::scales, false, true}}) {
    std::vector<TensorFault> faults = tensor_faults();
    if (argument.output) {
      faults.insert(faults.end(), output_faults().begin(), output_faults().end());
    }
    for (const TensorFault& fault : faults) {
      const std::string name = fault.name;
      // One element has no stride.
      if (argument.optional && (name == "absent" || name == "a sparse last dimension")) continue;
      SCOPED_TRACE(std::string(argument.name) + ": " + fault.name);
      Call call;
      fault.apply(call.args.*argument.field);
      EXPECT_EQ(call.refusal(argument.name, fault.part), "");
    }
  }
}

TEST(ActivationRefuses, WrongScales) {
  for (const float scale : {0.0f, -1.0f, NAN, INFINITY}) {
    Call call;
    call.args.scale = scale;
    EXPECT_EQ(call.refusal("scale", "a positive finite number"), "");
    Call in_tensor;
    *static_cast<float*>(in_tensor.args.scales.data) = scale;
    EXPECT_EQ(in_tensor.refusal("scales", "a positive finite scales[0]"), "");
  }
}

TEST(ActivationRefuses, Overlap) {
  Call right;
  right.args.out = right.args.x.slice(1, 16, 32);
  EXPECT_EQ(right.refusal("out", "x"), "");
  Call shifted;
  shifted.args.out = shifted.args.x.slice(1, 8, 24);
  EXPECT_EQ(shifted.refusal("out", "x"), "");
  Call scales;
  scales.args.scales = TensorView(scales.args.out.data, DType::f32, {1});
  *static_cast<float*>(scales.args.scales.data) = 1;
  EXPECT_EQ(scales.refusal("out", "scales"), "");
}

TEST(ActivationRefuses, WrongConfigs) {
  struct Row {
    const char* argument;
    void (*spoil)(ActivationConfig&);
    const char* part;
  };
  const Row rows[] = {
      {"dtype", [](ActivationConfig& c) { c.dtype = DType::e5m2; }, "f32, f16 or bf16, got e5m2"},
      {"dtype_out", [](ActivationConfig& c) { c.dtype_out = DType::u8; }, "or e5m2, got u8"},
      {"kind", [](ActivationConfig& c) { c.kind = static_cast<ActivationKind>(3); }, "got 3"},
      {"hidden", [](ActivationConfig& c) { c.hidden = 0; }, "1 <= hidden"},
      {"hidden", [](ActivationConfig& c) { c.hidden = -4; }, "got -4"},
  };
  for (const Row& row : rows) {
    Call call;
    row.spoil(call.config);
    EXPECT_EQ(call.refusal(row.argument, row.part), "") << row.argument << " " << row.part;
  }
}

}  // namespace
}  // namespace weft::cases
