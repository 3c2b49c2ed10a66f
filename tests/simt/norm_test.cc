// SPDX-License-Identifier: Apache-2.0
// The norm kernel on the host, thread by thread, over the case table: each spec runs every case of
// its dtypes and shape.
#include "tests/simt/simt.h"
// Kernels know no include of their own for what their compiler has built in.
#include <gtest/gtest.h>

#include <cstdio>

#include "kernels/norm/norm.cuh"
#include "src/cuda/rows.h"
#include "src/ops/norm/kernel.h"
#include "src/ops/norm/rooms.h"
#include "tests/cases/norm_case.h"

namespace weft::test {
namespace {

using cases::NormCase;
using cases::NormData;

constexpr NormWarpSpec deal(NormWarpSpec s, int vec, int lanes) {
  s.vec = vec;
  s.lanes = lanes;
  s.num_threads = max_of(lanes, 64);
  return s;
}

bool fits(const NormWarpSpec& s, const NormData& data) {
  const NormConfig& c = data.config;
  const NormArgs& a = data.args;
  for (const TensorView* t : {&a.x, &a.residual, &a.out, &a.weight, &a.bias}) {
    if (!fits_vectors(*t, s.vec)) return false;
  }
  return c.dtype == s.dtype && c.dtype_out == s.dtype_out && c.dtype_weight == s.dtype_weight &&
         c.kind == s.kind && c.residual == s.adds && c.hidden == s.hidden;
}

/// Cases that the spec fits and gets right.
template <NormWarpSpec spec>
int run_cases() {
  int num_run = 0;
  for (const NormCase& c : cases::norm_cases()) {
    NormData data = cases::make_norm_data(c, 1);
    if (!fits(spec, data) || c.n == 0) continue;
    NormParams p = bind_norm(data.config, data.args);
    p.num_rows = static_cast<int32_t>(p.n) * p.num_heads;
    p.heads = FastDivisor::of(p.num_heads);
    const int num_ctas = ceil_div(p.num_rows, spec.rows_per_cta());
    cases::restore_outputs(c, data);
    for (int cta = 0; cta < num_ctas; ++cta) {
      simt::run_cta(cta, num_ctas, spec.num_threads, NormSmem::of(spec).bytes,
                    [&] { norm_rows<spec>(p); });
    }
    EXPECT_EQ(cases::compare_norm(data), "") << c.name << ", " << to_cpp(spec);
    ++num_run;
  }
  EXPECT_GT(num_run, 0) << to_cpp(spec);
  return num_run;
}

template <NormWarpSpec shape, int vec, int lanes>
void run() {
  run_cases<deal(shape, vec, lanes)>();
}

constexpr DType kF16 = DType::f16, kF32 = DType::f32, kE4m3 = DType::e4m3;

TEST(NormOnHost, WholeWarps) {
  run<NormWarpSpec{.hidden = 256}, 8, 32>();
  run<NormWarpSpec{.hidden = 256}, 8, 16>();
  run<NormWarpSpec{.hidden = 256}, 1, 64>();
  run<NormWarpSpec{.adds = true, .hidden = 512}, 8, 64>();
}

TEST(NormOnHost, SeveralRowsAWarp) {
  run<NormWarpSpec{.hidden = 128}, 8, 8>();
  run<NormWarpSpec{.hidden = 128}, 8, 16>();
  run<NormWarpSpec{.dtype_out = kE4m3, .hidden = 80}, 8, 4>();
  run<NormWarpSpec{.hidden = 2}, 2, 1>();
  run<NormWarpSpec{.hidden = 7}, 1, 2>();
  run<NormWarpSpec{
          .dtype = kF16, .dtype_out = kF16, .dtype_weight = kF16, .adds = true, .hidden = 33},
      1, 8>();
}

TEST(NormOnHost, Conversions) {
  run<NormWarpSpec{.dtype_out = kE4m3, .adds = true, .hidden = 4096}, 8, 128>();
  run<NormWarpSpec{.dtype = kF32, .dtype_out = DType::e5m2, .dtype_weight = kF32, .hidden = 37}, 1,
      8>();
  run<NormWarpSpec{.dtype_weight = kF32, .hidden = 256}, 8, 16>();
}

TEST(NormOnHost, Layer) {
  run<NormWarpSpec{.dtype_weight = kF32, .kind = NormKind::layer, .hidden = 768}, 8, 64>();
  run<NormWarpSpec{.dtype = kF16,
                   .dtype_out = kF16,
                   .dtype_weight = kF16,
                   .kind = NormKind::layer,
                   .hidden = 333},
      1, 64>();
  run<NormWarpSpec{.dtype = kF32,
                   .dtype_out = kF32,
                   .dtype_weight = kF32,
                   .kind = NormKind::layer,
                   .hidden = 1000},
      4, 128>();
}

TEST(NormOnHost, RowsOfSeveralPieces) {
  constexpr NormWarpSpec kLong{.hidden = 40000};
  static_assert(deal(kLong, 8, 1024).pieces() == 2);
  run_cases<deal(kLong, 8, 1024)>();
  run_cases<deal({.kind = NormKind::layer, .adds = true, .hidden = 50000}, 8, 256)>();
  run_cases<deal({.hidden = 5120}, 1, 256)>();
}

}  // namespace
}  // namespace weft::test
