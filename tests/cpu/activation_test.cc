// SPDX-License-Identifier: Apache-2.0
// activation on the CPU against float64: every dtype, kind and width, on every instruction set and
// pool.
#include "weft/activation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/cases/activation_case.h"
#include "tests/cases/executors.h"
#include "tests/cases/targets.h"
#include "tests/oracle/activation.h"
#include "weft/error.h"

namespace weft::cases {
namespace {

std::string check_on(const Target& target, const ActivationCase& c, ActivationData& data) {
  const Activation op(data.config, target);
  const AllPools pools;
  std::vector<char> first;
  for (const TestPool* pool : pools.list()) {
    restore_outputs(c, data);
    op.run(data.args, pool->executor());
    const std::vector<char> got = bytes_of(c.in_place ? data.x.buffer : data.out.buffer);
    if (first.empty()) first = got;
    if (got != first) return "other bits on " + pool->name();
  }
  const std::string wrong = compare_activation(c, data);
  return wrong.empty() ? "" : to_string(target) + ": " + wrong;
}

std::string check(const ActivationCase& c, uint64_t seed) {
  ActivationData data = make_activation_data(c, seed);
  std::string wrong;
  for (const Target& target : host_targets()) {
    if (wrong.empty()) wrong = check_on(target, c, data);
  }
  return wrong;
}

class ActivationCases : public testing::TestWithParam<ActivationCase> {};

TEST_P(ActivationCases, MatchFloat64) {
  EXPECT_EQ(check(GetParam(), hash_of(GetParam().name)), "");
}

INSTANTIATE_TEST_SUITE_P(Activation, ActivationCases, testing::ValuesIn(activation_cases()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Activation, RandomCasesMatchFloat64) {
  Random random(78);
  for (int i = 0; i < 150; ++i) {
    const ActivationCase c = random_activation_case(random);
    ASSERT_EQ(check(c, static_cast<uint64_t>(i)), "")
        << "case " << i << ": " << name_of(c.dtype) << " hidden " << c.hidden << " "
        << name_of(c.kind);
  }
}

// Far out on both sides, and where nothing is a number.
TEST(Activation, ExtremesStayInTheirElement) {
  const float values[] = {0.0f, -0.0f, 1e-38f, 88.0f,    -88.0f, 126.0f, -126.0f,
                          1e4f, -1e4f, 3e38f,  INFINITY, NAN,    1.0f};
  constexpr int kCount = 13;
  for (const Target& target : host_targets()) {
    for (ActivationKind kind :
         {ActivationKind::silu, ActivationKind::gelu, ActivationKind::gelu_tanh}) {
      OwnedTensor x(DType::f32, {1, 2 * kCount}), out(DType::f32, {1, kCount});
      float* in = static_cast<float*>(x.view.data);
      for (int i = 0; i < kCount; ++i) in[i] = values[i], in[kCount + i] = 1.0f;
      Activation({.dtype = DType::f32, .kind = kind, .hidden = kCount}, target)
          .run({.x = x.view, .out = out.view});
      const float* y = static_cast<const float*>(out.view.data);
      for (int i = 0; i < kCount; ++i) {
        const double exact = oracle::activate(kind, static_cast<double>(values[i]));
        if (std::isnan(values[i])) {
          EXPECT_TRUE(std::isnan(y[i]));
        } else if (values[i] > 0) {
          EXPECT_FLOAT_EQ(y[i], static_cast<float>(exact)) << name_of(kind) << " " << values[i];
        } else {
          EXPECT_NEAR(y[i], exact, 1e-30) << name_of(kind) << " " << values[i];
        }
      }
    }
  }
}

TEST(Activation, ExplainsItself) {
  const Activation op({.dtype_out = DType::e4m3, .kind = ActivationKind::gelu, .hidden = 64});
  EXPECT_NE(op.explain().find("gelu and multiply, bf16 into e4m3, hidden 64"), std::string::npos)
      << op.explain();
  EXPECT_EQ(Activation({.hidden = 8}).config().dtype_out, DType::bf16);
  EXPECT_THROW(Activation({.hidden = 64}, Target::h200()), Error);
}

}  // namespace
}  // namespace weft::cases
