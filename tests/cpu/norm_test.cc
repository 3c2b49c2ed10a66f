// SPDX-License-Identifier: Apache-2.0
// norm on the CPU against float64: every dtype, kind, weight and shape, on every instruction set
// and pool.
#include "weft/norm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/cases/executors.h"
#include "tests/cases/norm_case.h"
#include "tests/cases/targets.h"
#include "weft/error.h"

namespace weft::cases {
namespace {

std::string check_on(const Target& target, const NormCase& c, NormData& data) {
  const Norm op(data.config, target);
  const AllPools pools;
  std::vector<char> first;
  for (const TestPool* pool : pools.list()) {
    restore_outputs(c, data);
    op.run(data.args, pool->executor());
    const std::vector<char> got = bytes_of(data.out.buffer);
    if (first.empty()) first = got;
    if (got != first) return "other bits on " + pool->name();
  }
  const std::string wrong = compare_norm(data);
  return wrong.empty() ? "" : to_string(target) + ": " + wrong;
}

std::string check(const NormCase& c, uint64_t seed) {
  NormData data = make_norm_data(c, seed);
  std::string wrong;
  for (const Target& target : host_targets()) {
    if (wrong.empty()) wrong = check_on(target, c, data);
  }
  return wrong;
}

class NormCases : public testing::TestWithParam<NormCase> {};

TEST_P(NormCases, MatchFloat64) { EXPECT_EQ(check(GetParam(), hash_of(GetParam().name)), ""); }

INSTANTIATE_TEST_SUITE_P(Norm, NormCases, testing::ValuesIn(norm_cases()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Norm, RandomCasesMatchFloat64) {
  Random random(77);
  for (int i = 0; i < 150; ++i) {
    const NormCase c = random_norm_case(random);
    ASSERT_EQ(check(c, static_cast<uint64_t>(i)), "")
        << "case " << i << ": " << name_of(c.dtype) << " hidden " << c.hidden << " heads "
        << c.heads << " " << name_of(c.kind);
  }
}

// Adding and normalising in one call is adding, then normalising: the same bits.
TEST(Norm, TheResidualIsWhatIsNormalised) {
  for (DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    const NormCase c{.name = "fused", .dtype = dtype, .hidden = 777, .residual = true};
    NormData fused = make_norm_data(c, 3);
    restore_outputs(c, fused);
    Norm(fused.config).run(fused.args);
    NormConfig plain = fused.config;
    plain.residual = false;
    OwnedTensor out(dtype, {c.n, c.hidden});
    NormArgs args = fused.args;
    args.x = fused.residual.view, args.residual = {}, args.out = out.view;
    Norm(plain).run(args);
    EXPECT_EQ(bytes_of(out.buffer), bytes_of(fused.out.buffer)) << name_of(dtype);
  }
}

TEST(Norm, NanAndInfinityStayInTheirRow) {
  for (const Target& target : host_targets()) {
    const NormCase c{.name = "nan", .dtype = DType::f32, .n = 4, .hidden = 50};
    NormData data = make_norm_data(c, 5);
    float* x = static_cast<float*>(data.x.view.data);
    x[50 + 7] = NAN, x[2 * 50 + 49] = INFINITY;
    Norm(data.config, target).run(data.args);
    const float* y = static_cast<const float*>(data.out.view.data);
    for (int i = 0; i < 200; ++i) {
      EXPECT_EQ(std::isnan(y[i]), i / 50 == 1 || i == 149) << i;
    }
  }
}

TEST(Norm, AConstantRowIsItsBias) {
  const NormCase c{.name = "constant", .dtype = DType::f32, .kind = NormKind::layer, .bias = true};
  NormData data = make_norm_data(c, 5);
  for_each_element(data.x.view, [](char* at, int64_t) { *reinterpret_cast<float*>(at) = 3.75f; });
  Norm(data.config).run(data.args);
  const float *y = static_cast<const float*>(data.out.view.data),
              *b = static_cast<const float*>(data.bias.view.data);
  for (int i = 0; i < 256; ++i) EXPECT_EQ(y[i], b[i]) << i;
}

TEST(Norm, ExplainsItself) {
  const Norm op({.hidden = 4096, .num_heads = 3, .residual = true, .weight_offset = 1});
  EXPECT_EQ(op.config().dtype_out, DType::bf16);
  for (const char* part :
       {"rms norm of bf16 into bf16, hidden 4096, heads 3", "residual added", "unit: cpu_"}) {
    EXPECT_NE(op.explain().find(part), std::string::npos) << op.explain();
  }
  EXPECT_THROW(Norm({.hidden = 64}, Target::h200()), Error);
}

}  // namespace
}  // namespace weft::cases
