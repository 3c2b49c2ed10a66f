// SPDX-License-Identifier: Apache-2.0
// What only a hostile or broken caller sends: lengths at the edge of int32, work beyond int64,
// outputs and workspaces over the batch's own arrays, objects that were moved from.
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "tests/cases/attention_data.h"
#include "tests/cases/refusal.h"
#include "weft/weft.h"

namespace weft::cases {
namespace {

constexpr AttentionConfig kRagged{.dtype_q = DType::f32,
                                  .dtype_kv = DType::f32,
                                  .num_qo_heads = 128,
                                  .num_kv_heads = 1,
                                  .head_dim_qk = 8,
                                  .max_batch_size = 4,
                                  .max_nnz_qo = 16'000'000};
// kv tokens that one request may have: 2^31 less the largest split.
constexpr int32_t kMostTokens = INT32_MAX - (1 << 24);

struct Lengths2 {
  int qo = 0;
  int kv = 0;
};

AttentionBatch ragged(const std::vector<Lengths2>& requests, std::vector<Buffer>& owners) {
  std::vector<int32_t> qo_indptr{0}, kv_indptr{0};
  for (const Lengths2& r : requests) {
    qo_indptr.push_back(qo_indptr.back() + r.qo);
    kv_indptr.push_back(kv_indptr.back() + r.kv);
  }
  return {.qo_indptr = make_ints(qo_indptr, owners), .kv_indptr = make_ints(kv_indptr, owners)};
}

TEST(AttentionExtremes, ARequestOfAlmost2To31Tokens) {
  for (const ScheduleMode mode : {ScheduleMode::deterministic, ScheduleMode::batch_invariant}) {
    for (const int window_hint : {-1, 0, INT32_MAX}) {
      AttentionConfig config = kRagged;
      config.schedule = mode;
      config.window_left = window_hint;
      config.split_kv = mode == ScheduleMode::batch_invariant ? 1 << 24 : 0;
      config.max_nnz_qo = 8;
      const Attention attention(config);
      AttentionPlan plan = attention.create_plan();
      std::vector<Buffer> owners;
      attention.plan(ragged({{1, kMostTokens}, {5, 0}}, owners), plan);
      EXPECT_GT(plan.num_items(), 0);
      EXPECT_GE(plan.balance(), 1.0);
      EXPECT_FALSE(plan.explain().empty());
      const int items = plan.num_items();
      EXPECT_EQ(
          check_refusal(
              [&] {
                attention.plan(ragged({{1, kMostTokens + 1}}, owners), plan);
              },
              ErrorKind::out_of_limits, "kv_indptr", "at most 2130706431 tokens in a request", {}),
          "");
      EXPECT_EQ(plan.num_items(), items);  // keeps its earlier content
    }
  }
}

/// 16 million queries of 128 heads on 2^31 keys: more nanoseconds than an int64 counts.
TEST(AttentionExtremes, WorkBeyondInt64) {
  for (const MaskMode mask : {MaskMode::none, MaskMode::causal}) {
    AttentionConfig config = kRagged;
    config.mask = mask;
    const Attention attention(config);
    // Planning memory of 16 million queries alone is 350 MB: only what is touched is there.
    const Buffer memory = Buffer::reserve(attention.workspace_bytes());
    AttentionPlan plan = attention.create_plan(
        TensorView(memory.data(), DType::u8, {static_cast<int64_t>(attention.workspace_bytes())}));
    std::vector<Buffer> owners;
    EXPECT_EQ(check_refusal(
                  [&] {
                    attention.plan(ragged({{16'000'000, kMostTokens}}, owners), plan);
                  },
                  ErrorKind::out_of_limits, "qo_indptr", "2^62", {}),
              "");
    attention.plan(ragged({{1, kMostTokens}}, owners), plan);
    EXPECT_GT(plan.num_items(), 0);
  }
}

TEST(AttentionExtremes, LimitsThatNoMemoryHolds) {
  AttentionConfig config = kRagged;
  config.num_qo_heads = config.num_kv_heads = 4096;
  config.head_dim_qk = 576;
  config.max_nnz_qo = INT32_MAX - 4096;
  config.max_batch_size = 1 << 20;
  Target target = Target::host();
  target.num_workers = 1 << 16;
  target.num_threads = 4096;
  const Attention attention(config, target);
  EXPECT_GT(attention.workspace_bytes(), size_t{1} << 33);
  EXPECT_FALSE(attention.explain().empty());
}

/// A request of AttentionData and everything that a run reads beside its args.
TEST(AttentionExtremes, OutputsOverTheBatchOrTheWorkspace) {
  AttentionData data = make_attention_data({.name = "small", .requests = {{2, 20}, {1, 7}}}, 7);
  const Attention attention(data.config);
  const size_t bytes = attention.workspace_bytes();
  Buffer memory(bytes);
  const TensorView workspace(memory.data(), DType::u8, {static_cast<int64_t>(bytes)});
  AttentionPlan plan = attention.create_plan(workspace);
  attention.plan(data.batch, plan);
  std::vector<const Buffer*> watched{&memory, &data.o, &data.lse};
  for (const Buffer& b : data.inputs) watched.push_back(&b);
  struct Row {
    const char* name;
    TensorView tensor;
  };
  for (const Row& row :
       {Row{"qo_indptr", data.batch.qo_indptr}, Row{"kv_indptr", data.batch.kv_indptr},
        Row{"kv_indices", data.batch.kv_indices}, Row{"last_page_len", data.batch.last_page_len},
        Row{"workspace", workspace}}) {
    AttentionArgs args = data.args;
    args.lse.data = row.tensor.data;
    EXPECT_EQ(check_refusal([&] { attention.run(plan, args); }, ErrorKind::invalid_argument, "lse",
                            std::string("apart from ") + row.name, watched),
              "");
  }
  EXPECT_NO_THROW(attention.run(plan, data.args));
}

TEST(AttentionExtremes, ABatchInsideTheWorkspace) {
  AttentionData data = make_attention_data({.name = "small", .requests = {{2, 20}, {1, 7}}}, 7);
  const Attention attention(data.config);
  const size_t bytes = attention.workspace_bytes();
  Buffer memory(bytes);
  AttentionPlan plan =
      attention.create_plan(TensorView(memory.data(), DType::u8, {static_cast<int64_t>(bytes)}));
  TensorView AttentionBatch::*const fields[] = {
      &AttentionBatch::qo_indptr, &AttentionBatch::kv_indptr, &AttentionBatch::kv_indices,
      &AttentionBatch::last_page_len};
  const char* const names[] = {"qo_indptr", "kv_indptr", "kv_indices", "last_page_len"};
  for (size_t i = 0; i < 4; ++i) {
    AttentionBatch batch = data.batch;
    TensorView& tensor = batch.*fields[i];
    std::copy_n(static_cast<const char*>(tensor.data), span_bytes(tensor), memory.data() + 256);
    tensor.data = memory.data() + 256;
    EXPECT_EQ(check_refusal([&] { attention.plan(batch, plan); }, ErrorKind::invalid_argument,
                            "workspace", std::string("apart from ") + names[i], {&memory}),
              "");
  }
}

template <class F>
std::string refusal_of(F&& call, const char* argument) {
  return check_refusal(call, ErrorKind::invalid_argument, argument, "a moved-from one", {});
}

TEST(MovedFrom, AttentionAndPlan) {
  AttentionData data = make_attention_data({.name = "small", .requests = {{2, 20}}}, 7);
  Attention attention(data.config);
  AttentionPlan plan = attention.create_plan();
  attention.plan(data.batch, plan);
  Attention other = std::move(attention);
  // NOLINTBEGIN(bugprone-use-after-move): what a use after a move does is the question.
  EXPECT_EQ(refusal_of([&] { attention.config(); }, "attention"), "");
  EXPECT_EQ(refusal_of([&] { attention.target(); }, "attention"), "");
  EXPECT_EQ(refusal_of([&] { attention.workspace_bytes(); }, "attention"), "");
  EXPECT_EQ(refusal_of([&] { attention.explain(); }, "attention"), "");
  EXPECT_EQ(refusal_of([&] { attention.create_plan(); }, "attention"), "");
  EXPECT_EQ(refusal_of([&] { attention.plan(data.batch, plan); }, "attention"), "");
  EXPECT_EQ(refusal_of([&] { attention.run(plan, data.args); }, "attention"), "");
  attention = std::move(other);
  EXPECT_NO_THROW(attention.run(plan, data.args));
  const AttentionPlan moved = std::move(plan);
  EXPECT_EQ(check_refusal([&] { attention.run(plan, data.args); }, ErrorKind::invalid_argument,
                          "plan", "an empty one", {}),
            "");
  EXPECT_NO_THROW(attention.run(moved, data.args));
  // NOLINTEND(bugprone-use-after-move)
}

TEST(MovedFrom, RowOperators) {
  Append append({.dtype = DType::f32, .num_kv_heads = 1, .head_dim_qk = 8, .page_size = 4});
  Merge merge({.dtype = DType::f32, .num_heads = 1, .head_dim = 8});
  RopeOp rope(
      {.dtype = DType::f32, .num_qo_heads = 1, .head_dim = 8, .rope = {.mode = RopeMode::neox}});
  const Append append2 = std::move(append);
  const Merge merge2 = std::move(merge);
  const RopeOp rope2 = std::move(rope);
  // NOLINTBEGIN(bugprone-use-after-move)
  EXPECT_EQ(refusal_of([&] { append.config(); }, "append"), "");
  EXPECT_EQ(refusal_of([&] { append.explain(); }, "append"), "");
  EXPECT_EQ(refusal_of([&] { append.run({}); }, "append"), "");
  EXPECT_EQ(refusal_of([&] { merge.config(); }, "merge"), "");
  EXPECT_EQ(refusal_of([&] { merge.explain(); }, "merge"), "");
  EXPECT_EQ(refusal_of([&] { merge.run(MergeArgs{}); }, "merge"), "");
  EXPECT_EQ(refusal_of([&] { merge.run(MergePairArgs{}); }, "merge"), "");
  EXPECT_EQ(refusal_of([&] { rope.config(); }, "rope"), "");
  EXPECT_EQ(refusal_of([&] { rope.explain(); }, "rope"), "");
  EXPECT_EQ(refusal_of([&] { rope.run({}); }, "rope"), "");
  // NOLINTEND(bugprone-use-after-move)
  EXPECT_EQ(append2.config().page_size, 4);
}

}  // namespace
}  // namespace weft::cases
