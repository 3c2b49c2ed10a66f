// SPDX-License-Identifier: Apache-2.0
// The step of abi_program.c gives the same bits as the same step through the C++ API, and every
// function that c_api.h exports is called from C somewhere in it.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <regex>
#include <sstream>

#include "tests/capi/abi_program.h"
#include "weft/weft.h"

namespace weft {
namespace {

void fill_inputs(capi_step& step) {
  // Small integers and halves: every sum below is far from rounding trouble, yet rows differ.
  uint32_t state = 12345;
  float* at = step.q;
  float* const end = reinterpret_cast<float*>(&step.batch_indices);
  for (; at < end; ++at) {
    state = state * 1664525u + 1013904223u;
    *at = static_cast<float>(static_cast<int>(state >> 24) - 128) / 64.0f;
  }
  step.sm_scale = 0.3f;
}

template <size_t N>
TensorView floats(float (&data)[N], std::initializer_list<int64_t> shape) {
  return TensorView(static_cast<void*>(data), DType::f32, shape);
}

template <size_t N>
TensorView ints(const int32_t (&data)[N]) {
  return TensorView(static_cast<const void*>(data), DType::i32, {int64_t{N}});
}

constexpr Rope kRope{.mode = RopeMode::neox, .theta = 500.0f};

void run_append(capi_step& s) {
  batch_indices_positions(ints(kQoIndptr), ints(kKvLens), ints(s.batch_indices), ints(s.positions));
  const Append append({.dtype = DType::f32,
                       .num_kv_heads = kKvHeads,
                       .num_qo_heads = kQoHeads,
                       .head_dim_qk = kHeadDim,
                       .page_size = kPageTokens,
                       .rope = kRope});
  append.run({.k = floats(s.k, {kQueries, kKvHeads, kHeadDim}),
              .v = floats(s.v, {kQueries, kKvHeads, kHeadDim}),
              .batch_indices = ints(s.batch_indices),
              .positions = ints(s.positions),
              .kv_indptr = ints(kKvIndptr),
              .kv_indices = ints(kKvIndices),
              .k_cache = floats(s.k_cache, {kNumPages, kPageTokens, kKvHeads, kHeadDim}),
              .v_cache = floats(s.v_cache, {kNumPages, kPageTokens, kKvHeads, kHeadDim}),
              .q = floats(s.q, {kQueries, kQoHeads, kHeadDim}),
              .q_out = floats(s.q_rotated, {kQueries, kQoHeads, kHeadDim})});
}

void run_attention(capi_step& s) {
  Target target = Target::host();
  target.isa = Isa::scalar;
  const Attention attention({.dtype_q = DType::f32,
                             .dtype_kv = DType::f32,
                             .num_qo_heads = kQoHeads,
                             .num_kv_heads = kKvHeads,
                             .head_dim_qk = kHeadDim,
                             .page_size = kPageTokens,
                             .max_batch_size = 8,
                             .max_nnz_qo = 64},
                            target);
  AttentionPlan plan = attention.create_plan();
  attention.plan({.qo_indptr = ints(kQoIndptr),
                  .kv_indptr = ints(kKvIndptr),
                  .kv_indices = ints(kKvIndices),
                  .last_page_len = ints(kLastPageLen)},
                 plan);
  attention.run(plan, {.q = floats(s.q_rotated, {kQueries, kQoHeads, kHeadDim}),
                       .k = floats(s.k_cache, {kNumPages, kPageTokens, kKvHeads, kHeadDim}),
                       .v = floats(s.v_cache, {kNumPages, kPageTokens, kKvHeads, kHeadDim}),
                       .o = floats(s.o, {kQueries, kQoHeads, kHeadDim}),
                       .lse = floats(s.lse, {kQueries, kQoHeads}),
                       .sm_scale = s.sm_scale});
}

void run_merge_and_rope(capi_step& s) {
  const Merge merge({.dtype = DType::f32, .num_heads = kQoHeads, .head_dim = kHeadDim});
  const TensorView merged = floats(s.merged, {kQueries, kQoHeads, kHeadDim});
  const TensorView merged_lse = floats(s.merged_lse, {kQueries, kQoHeads});
  merge.run(MergeArgs{.o_in = floats(s.states, {kQueries, kStates, kQoHeads, kHeadDim}),
                      .lse_in = floats(s.states_lse, {kQueries, kStates, kQoHeads}),
                      .o = merged,
                      .lse = merged_lse});
  merge.run(MergePairArgs{.o_a = merged,
                          .lse_a = merged_lse,
                          .o_b = floats(s.o, {kQueries, kQoHeads, kHeadDim}),
                          .lse_b = floats(s.lse, {kQueries, kQoHeads}),
                          .o = floats(s.pair, {kQueries, kQoHeads, kHeadDim})});
  const RopeOp rope(
      {.dtype = DType::f32, .num_qo_heads = kQoHeads, .head_dim = kHeadDim, .rope = kRope});
  rope.run({.q = floats(s.q, {kQueries, kQoHeads, kHeadDim}),
            .q_out = floats(s.roped, {kQueries, kQoHeads, kHeadDim}),
            .positions = ints(s.positions)});
}

TEST(Abi, StepInCEqualsStepInCpp) {
  auto in_c = std::make_unique<capi_step>();
  std::memset(in_c.get(), 0xff, sizeof(capi_step));
  fill_inputs(*in_c);
  auto in_cpp = std::make_unique<capi_step>(*in_c);
  const char* wrong = capi_program_run(in_c.get());
  ASSERT_EQ(wrong, nullptr) << wrong;
  run_append(*in_cpp);
  run_attention(*in_cpp);
  run_merge_and_rope(*in_cpp);
  EXPECT_EQ(std::memcmp(in_c.get(), in_cpp.get(), sizeof(capi_step)), 0);
  // Every output was written: nothing is the NaN it began as.
  EXPECT_EQ(in_c->o[0], in_c->o[0]);
  EXPECT_EQ(in_c->pair[0], in_c->pair[0]);
  EXPECT_EQ(in_c->roped[0], in_c->roped[0]);
}

TEST(Abi, WordsAreAsTheHeaderSays) {
  const char* wrong = capi_program_words();
  EXPECT_EQ(wrong, nullptr) << wrong;
}

std::string read_file(const char* path) {
  std::ifstream file(std::string(WEFT_SOURCE_DIR) + "/" + path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Abi, EveryExportedFunctionIsCalledFromC) {
  const std::string header = read_file("include/weft/c_api.h");
  const std::string program = read_file("tests/capi/abi_program.c");
  const std::regex function(R"(WEFT_API [^;(]*?(weft_\w+)\()");
  int count = 0;
  for (std::sregex_iterator it(header.begin(), header.end(), function), end; it != end; ++it) {
    const std::string name = (*it)[1];
    EXPECT_NE(program.find(name + "("), std::string::npos) << name;
    ++count;
  }
  EXPECT_GE(count, 50);
}

}  // namespace
}  // namespace weft
