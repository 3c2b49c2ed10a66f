// SPDX-License-Identifier: Apache-2.0
// The activation kernel on the host, thread by thread, over the case table.
#include "tests/simt/simt.h"
// Kernels know no include of their own for what their compiler has built in.
#include <gtest/gtest.h>

#include "kernels/activation/activation.cuh"
#include "src/cuda/rows.h"
#include "src/ops/activation/kernel.h"
#include "src/ops/activation/rooms.h"
#include "tests/cases/activation_case.h"

namespace weft::test {
namespace {

using cases::ActivationCase;
using cases::ActivationData;

/// Every case of the spec's dtypes whose tensors take its vectors.
template <ActivationWarpSpec spec>
void run_cases() {
  int num_run = 0;
  for (const ActivationCase& c : cases::activation_cases()) {
    ActivationData data = cases::make_activation_data(c, 1);
    if (c.n == 0 || c.n * c.hidden > 6000 || c.hidden % spec.vec != 0 ||
        !fits_vectors(data.args.x, spec.vec) || !fits_vectors(data.args.out, spec.vec) ||
        data.config.dtype != spec.dtype || data.config.dtype_out != spec.dtype_out ||
        c.kind != spec.kind) {
      continue;
    }
    ActivationParams p = bind_activation(data.config, data.args);
    p.vectors = FastDivisor::of(c.hidden / spec.vec);
    p.num_vectors = c.n * p.vectors.divisor;
    const int num_ctas = ceil_div(p.num_vectors, spec.num_threads);
    cases::restore_outputs(c, data);
    for (int cta = 0; cta < num_ctas; ++cta) {
      simt::run_cta(cta, num_ctas, spec.num_threads, 0, [&] { activate_and_multiply<spec>(p); });
    }
    EXPECT_EQ(cases::compare_activation(c, data), "") << c.name << ", " << to_cpp(spec);
    ++num_run;
  }
  EXPECT_GT(num_run, 0) << to_cpp(spec);
}

constexpr ActivationKind kGelu = ActivationKind::gelu, kTanh = ActivationKind::gelu_tanh;
constexpr DType kF16 = DType::f16, kF32 = DType::f32;

TEST(ActivationOnHost, Vectors) {
  run_cases<ActivationWarpSpec{.vec = 8}>();
  run_cases<ActivationWarpSpec{.kind = kGelu, .vec = 8}>();
  run_cases<ActivationWarpSpec{.kind = kTanh, .vec = 4, .num_threads = 64}>();
  run_cases<ActivationWarpSpec{.dtype = kF16, .dtype_out = kF16, .vec = 4}>();
  run_cases<ActivationWarpSpec{.dtype = kF32, .dtype_out = kF32, .vec = 4}>();
}

TEST(ActivationOnHost, SingleElements) {
  run_cases<ActivationWarpSpec{}>();
  run_cases<ActivationWarpSpec{.dtype = kF32, .dtype_out = kF32, .kind = kGelu}>();
  run_cases<ActivationWarpSpec{.dtype = kF32, .dtype_out = kF32, .kind = kTanh}>();
}

TEST(ActivationOnHost, Conversions) {
  run_cases<ActivationWarpSpec{.dtype_out = DType::e4m3, .vec = 8}>();
  run_cases<ActivationWarpSpec{.dtype = kF32, .dtype_out = DType::e5m2, .vec = 4}>();
  run_cases<ActivationWarpSpec{.dtype = kF32, .dtype_out = DType::bf16, .vec = 4}>();
}

}  // namespace
}  // namespace weft::test
