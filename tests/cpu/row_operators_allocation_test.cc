// SPDX-License-Identifier: Apache-2.0
// The runs of the row-wise operators allocate nothing.
#include <gtest/gtest.h>

#include <vector>

#include "tests/cases/attention_data.h"
#include "tests/cases/logprobs_case.h"
#include "tests/cases/packbits_case.h"
#include "tests/cases/tensors.h"
#include "tests/cases/topk_case.h"
#include "tests/cases/verify_case.h"
#include "tests/hooks/calls.h"
#include "weft/activation.h"
#include "weft/append.h"
#include "weft/merge.h"
#include "weft/norm.h"
#include "weft/rope.h"

namespace weft::cases {
namespace {

template <class F>
int allocations_of(F&& run) {
  run();  // weft's pool starts its threads at its first run
  return test::calls_of([&] {
           for (int i = 0; i < 5; ++i) run();
         })
      .allocations;
}

constexpr int64_t kTokens = 300;
constexpr Rope kRope{.mode = RopeMode::interleaved};

OwnedTensor tensor(DType dtype, const std::vector<int64_t>& shape) {
  OwnedTensor t(dtype, shape);
  t.buffer.fill(0);
  return t;
}

TEST(RowOperators, TheHooksCount) {
  EXPECT_GT(allocations_of([] { std::vector<int> grown(100); }), 0);
}

TEST(RowOperators, RopeAllocatesNothing) {
  const OwnedTensor q = tensor(DType::bf16, {kTokens, 8, 128});
  std::vector<Buffer> owners;
  RopeArgs args;
  args.q = args.q_out = q.view;
  args.positions = make_ints(std::vector<int32_t>(kTokens, 70000), owners);
  const RopeOp op({.num_qo_heads = 8, .head_dim = 128, .rope = kRope});
  EXPECT_EQ(allocations_of([&] { op.run(args); }), 0);
}

TEST(RowOperators, AppendAllocatesNothing) {
  const OwnedTensor kv = tensor(DType::bf16, {kTokens, 8, 128});
  const OwnedTensor cache = tensor(DType::e4m3, {2, 2, kTokens, 8, 128});
  const OwnedTensor q = tensor(DType::bf16, {kTokens, 8, 128});
  std::vector<Buffer> owners;
  owners.reserve(4);
  std::vector<int32_t> positions(kTokens);
  for (size_t t = 0; t < positions.size(); ++t) positions[t] = static_cast<int32_t>(t);
  AppendArgs args;
  args.k = args.v = kv.view;
  args.q = args.q_out = q.view;
  args.batch_indices = make_ints(std::vector<int32_t>(kTokens, 0), owners);
  args.positions = make_ints(positions, owners);
  args.kv_indptr = make_ints({0, 1}, owners);
  args.kv_indices = make_ints({1}, owners);
  args.k_cache = cache.view.select(1, 0), args.v_cache = cache.view.select(1, 1);
  const Append op({.dtype_kv = DType::e4m3,
                   .num_kv_heads = 8,
                   .num_qo_heads = 8,
                   .head_dim_qk = 128,
                   .page_size = kTokens,
                   .rope = kRope});
  EXPECT_EQ(allocations_of([&] { op.run(args); }), 0);
}

TEST(RowOperators, MergeAllocatesNothing) {
  const OwnedTensor o_in = tensor(DType::bf16, {kTokens, 20, 4, 128});
  const OwnedTensor lse_in = tensor(DType::f32, {kTokens, 20, 4});
  const OwnedTensor o = tensor(DType::bf16, {kTokens, 4, 128});
  const Merge op({.num_heads = 4, .head_dim = 128});
  const MergeArgs args{.o_in = o_in.view, .lse_in = lse_in.view, .o = o.view};
  EXPECT_EQ(allocations_of([&] { op.run(args); }), 0);
  const TensorView lse = lse_in.view.select(1, 0);
  const MergePairArgs pair{.o_a = o_in.view.select(1, 0),
                           .lse_a = lse,
                           .o_b = o_in.view.select(1, 1),
                           .lse_b = lse,
                           .o = o.view};
  EXPECT_EQ(allocations_of([&] { op.run(pair); }), 0);
}

TEST(RowOperators, NormAllocatesNothing) {
  const OwnedTensor x = tensor(DType::bf16, {kTokens, 1024});
  const OwnedTensor residual = tensor(DType::bf16, {kTokens, 1024});
  const OwnedTensor out = tensor(DType::e4m3, {kTokens, 1024});
  const Norm op({.dtype_out = DType::e4m3, .hidden = 1024, .residual = true});
  const NormArgs args{.x = x.view, .residual = residual.view, .out = out.view};
  EXPECT_EQ(allocations_of([&] { op.run(args); }), 0);
}

TEST(RowOperators, ActivationAllocatesNothing) {
  const OwnedTensor x = tensor(DType::bf16, {kTokens, 2048});
  const OwnedTensor out = tensor(DType::bf16, {kTokens, 1024});
  const Activation op({.hidden = 1024});
  EXPECT_EQ(allocations_of([&] { op.run({.x = x.view, .out = out.view}); }), 0);
}

TEST(RowOperators, SamplingAndItsLikeAllocateNothing) {
  const SamplingCase c{.name = "calls",
                       .vocab = 3000,
                       .n = 5,
                       .temperature = 0.8,
                       .top_p = 0.9,
                       .top_k = 40,
                       .penalties = true,
                       .bias = true,
                       .allowed = true};
  const SamplingData samples = make_sampling_data(c, 1);
  const Sampling sampling(samples.config);
  EXPECT_EQ(allocations_of([&] { sampling.run(samples.args); }), 0);
  EXPECT_EQ(allocations_of([&] { sampling.filter(samples.filter); }), 0);
  const LogprobsData reported = make_logprobs_data(c, 20, 1);
  const Logprobs logprobs(reported.config);
  EXPECT_EQ(allocations_of([&] { logprobs.run(reported.args); }), 0);
  for (const bool tree : {false, true}) {
    const VerifyData drafted = make_verify_data({.name = "calls", .tree = tree}, 1);
    const Verify verify(drafted.config);
    EXPECT_EQ(allocations_of([&] { verify.run(drafted.args); }), 0);
  }
  const TopkData selected = make_topk_data(topk_cases().front(), 1);
  const Topk topk(selected.config);
  EXPECT_EQ(allocations_of([&] { topk.run(selected.args); }), 0);
  const PackBitsData packed = make_packbits_data({.name = "calls", .nnz = 50000}, 1);
  const PackBits packbits(packed.config);
  EXPECT_EQ(allocations_of([&] { packbits.run(packed.args); }), 0);
}

}  // namespace
}  // namespace weft::cases
