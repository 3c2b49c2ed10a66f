// SPDX-License-Identifier: Apache-2.0
// The append kernel on the host, thread by thread, over the case table: copies, rotations and the
// fused step of normalisation, rotation and quantisation.
#include "tests/simt/simt.h"
// Kernels know no include of their own for what their compiler has built in.
#include <gtest/gtest.h>

#include <cstdio>

#include "kernels/append/append.cuh"
#include "src/cpu/rotation.h"
#include "src/cuda/rows.h"
#include "src/ops/append/kernel.h"
#include "src/ops/append/rooms.h"
#include "tests/cases/append_case.h"

namespace weft::test {
namespace {

using cases::AppendCase;
using cases::AppendData;

constexpr DType kBf16 = DType::bf16, kF16 = DType::f16, kF32 = DType::f32, kE4m3 = DType::e4m3;

struct Deal {
  DType dtype = kBf16, dtype_kv = kBf16;
  int dim = 128, rotated = 128, vec = 8;
};

constexpr AppendWarpSpec spec_of(Deal d, bool has_q, bool normed, RopeMode mode) {
  AppendWarpSpec s;
  s.dtype = s.dtype_q_out = d.dtype;
  s.dtype_kv = d.dtype_kv;
  s.head_dim_qk = s.head_dim_vo = d.dim;
  s.rotated_dim = d.rotated;
  s.mode = mode;
  s.has_q = has_q;
  s.normed = normed;
  s.vec = d.vec;
  s.unroll = 1;
  s.num_threads = 64;
  return s;
}

constexpr AppendWarpSpec with_q_out(AppendWarpSpec s, DType dtype) {
  s.dtype_q_out = dtype;
  return s;
}
constexpr AppendWarpSpec with_vo(AppendWarpSpec s, int dim) {
  s.head_dim_vo = dim;
  return s;
}

constexpr RopeMode kNeox = RopeMode::neox, kPairs = RopeMode::interleaved;

// What `spec` says of a config, whatever the sizes of its CTAs.
bool same(const AppendWarpSpec& a, const AppendWarpSpec& b) {
  return a.dtype == b.dtype && a.dtype_kv == b.dtype_kv && a.head_dim_qk == b.head_dim_qk &&
         a.head_dim_vo == b.head_dim_vo && a.rotated_dim == b.rotated_dim && a.mode == b.mode &&
         a.has_q == b.has_q && a.normed == b.normed && a.dtype_q_out == b.dtype_q_out;
}

bool fits(const AppendArgs& a, int vec) {
  for (const TensorView* t :
       {&a.k, &a.v, &a.k_cache, &a.v_cache, &a.q, &a.q_out, &a.k_weight, &a.q_weight}) {
    if (!fits_vectors(*t, vec)) return false;
  }
  return true;
}

template <AppendWarpSpec spec>
void run_cases() {
  int num_run = 0;
  for (const AppendCase& c : cases::append_cases()) {
    AppendData data = cases::make_append_data(c, 1);
    const AppendConfig config = checked_config(data.config);
    if (!same(spec, select_append_warp(config)) || !fits(data.args, spec.vec)) continue;
    if (data.nnz == 0 || data.nnz > 100) continue;
    const RopeTurns turns = make_turns(config.rope);
    uint64_t fault = kNoFault;
    for (const int shift : {0, 1}) {
      AppendParams p = bind_append(config, turns, data.args);
      complete_append(config, data.args, p);
      p.share_shift = shift;
      p.fault = &fault;
      cases::restore_outputs(c, data);
      const int num_ctas =
          ceil_div<int>(static_cast<int>(data.nnz) << shift, spec.num_threads / 32);
      for (int cta = 0; cta < num_ctas; ++cta) {
        simt::run_cta(cta, num_ctas, spec.num_threads, AppendSmem::of(spec).bytes,
                      [&] { append_tokens<spec>(p); });
      }
      EXPECT_EQ(cases::compare_append(data), "") << c.name << ", shift " << shift;
      EXPECT_EQ(fault, kNoFault) << c.name;
    }
    ++num_run;
  }
  EXPECT_GT(num_run, 0) << to_cpp(spec);
}

TEST(AppendOnHost, Copies) {
  run_cases<spec_of({.dim = 64, .rotated = 0}, false, false, RopeMode::none)>();
  run_cases<spec_of({.dim = 1, .rotated = 0, .vec = 1}, false, false, RopeMode::none)>();
}

TEST(AppendOnHost, Rotations) {
  run_cases<spec_of({.dim = 64, .rotated = 64}, true, false, kNeox)>();
  run_cases<spec_of({.dtype = kF16, .dtype_kv = kF16, .dim = 64, .rotated = 16, .vec = 1}, true,
                    false, kPairs)>();
  run_cases<spec_of({.dim = 64, .rotated = 16}, true, false, kPairs)>();
  run_cases<with_q_out(spec_of({.dim = 64, .rotated = 0}, true, false, RopeMode::none), kE4m3)>();
}

TEST(AppendOnHost, FusedStep) {
  run_cases<spec_of({}, true, true, kNeox)>();
  run_cases<spec_of({.vec = 1}, true, true, kNeox)>();
  run_cases<with_q_out(spec_of({.dtype_kv = kE4m3}, true, true, kNeox), kE4m3)>();
  run_cases<spec_of({.dtype = kF16, .dtype_kv = kF16, .dim = 256, .rotated = 16, .vec = 1}, true,
                    true, kPairs)>();
  run_cases<spec_of({.dtype = kF32, .dtype_kv = kF32, .dim = 34, .rotated = 20, .vec = 1}, true,
                    true, kNeox)>();
  run_cases<with_vo(spec_of({.dim = 80, .rotated = 32}, true, true, kNeox), 64)>();
  run_cases<with_q_out(
      spec_of({.dtype_kv = DType::e5m2, .dim = 64, .rotated = 16}, true, true, kPairs),
      DType::e5m2)>();
  run_cases<spec_of({.dim = 96, .rotated = 0}, true, true, RopeMode::none)>();
  run_cases<spec_of({.dim = 192, .rotated = 0}, false, true, RopeMode::none)>();
  run_cases<spec_of({.dtype = kF16, .dtype_kv = kF16, .dim = 1024, .rotated = 0}, false, true,
                    RopeMode::none)>();
}

}  // namespace
}  // namespace weft::test
