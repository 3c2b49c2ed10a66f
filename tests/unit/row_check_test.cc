// SPDX-License-Identifier: Apache-2.0
// The replay's reference row against the oracle of the tests, written by other hands from the same
// definition; and the judge, which must notice a single lost key among thousands.
#include "tools/weft/row_check.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "tests/oracle/attention.h"
#include "tools/weft/elements.h"

namespace weft::cli {
namespace {

constexpr int kDim = 64;

struct Case {
  const char* name;
  int position;
  double logits_soft_cap = 0;
  int window_left = -1;
  bool sink = false;
};

// One request and one head as contiguous KV, for the oracle.
struct Dense {
  Dense(const Synthetic& data, const RowQuestion& r) : n(r.position + 1), k(n * kDim), v(n * kDim) {
    using Kind = VectorName::Kind;
    const float* row = data.values({Kind::q, r.layer, r.head, r.tokens[r.position], r.position});
    q.assign(row, row + kDim);
    for (int j = 0; j < n; ++j) {
      std::copy_n(data.values({Kind::k, r.layer, r.kv_head, r.tokens[j], j}), kDim, &k[j * kDim]);
      std::copy_n(data.values({Kind::v, r.layer, r.kv_head, r.tokens[j], j}), kDim, &v[j * kDim]);
    }
  }
  int n;
  std::vector<float> q, k, v;
};

class ReferenceRow : public testing::TestWithParam<Case> {};

TEST_P(ReferenceRow, AgreesWithTheOracle) {
  const Case& c = GetParam();
  const Synthetic data(DType::bf16, DType::bf16, kDim, 5);
  std::vector<int32_t> tokens(c.position + 1);
  std::iota(tokens.begin(), tokens.end(), 100);
  const float sink = 1.5f;
  RowQuestion question;
  question.layer = 1;
  question.head = 5;
  question.kv_head = 1;
  question.position = c.position;
  question.tokens = tokens;
  question.head_dim = kDim;
  question.sm_scale = 0.125;
  question.logits_soft_cap = c.logits_soft_cap;
  question.window_left = c.window_left;
  if (c.sink) question.sink = &sink;
  const RowAnswer row = reference_row(data, question);

  const Dense dense(data, question);
  AttentionConfig config;
  config.dtype_q = config.dtype_kv = config.dtype_o = DType::f32;
  config.num_qo_heads = config.num_kv_heads = 1;
  config.head_dim_qk = config.head_dim_vo = kDim;
  const int32_t qo_indptr[] = {0, 1}, kv_indptr[] = {0, dense.n};
  AttentionBatch batch;
  batch.qo_indptr = TensorView(qo_indptr, DType::i32, {2});
  batch.kv_indptr = TensorView(kv_indptr, DType::i32, {2});
  AttentionArgs args;
  args.q = TensorView(dense.q.data(), DType::f32, {1, 1, kDim});
  args.k = TensorView(dense.k.data(), DType::f32, {dense.n, 1, kDim});
  args.v = TensorView(dense.v.data(), DType::f32, {dense.n, 1, kDim});
  args.sm_scale = 0.125f;
  args.logits_soft_cap = static_cast<float>(c.logits_soft_cap);
  args.window_left = c.window_left;
  if (c.sink) args.sink = TensorView(&sink, DType::f32, {1});
  const oracle::AttentionRow expected = oracle::Attention(config, batch, args).row(0, 0, 0);
  for (int d = 0; d < kDim; ++d) {
    EXPECT_NEAR(row.o[d], expected.o[d], 1e-12);
    EXPECT_NEAR(row.rms[d], expected.rms[d], 1e-12);
    EXPECT_NEAR(row.abs[d], expected.abs[d], 1e-12);
  }
  EXPECT_NEAR(row.lse, expected.lse, 1e-11);
  EXPECT_NEAR(row.weight_rms, expected.weight_rms, 1e-12);
}

INSTANTIATE_TEST_SUITE_P(All, ReferenceRow,
                         testing::Values(Case{"one_key", 0}, Case{"many_keys", 999},
                                         Case{"soft_cap", 500, 20.0}, Case{"window", 500, 0, 63},
                                         Case{"window_of_one", 50, 0, 0},
                                         Case{"sink", 100, 0, -1, true},
                                         Case{"all", 300, 30.0, 100, true}),
                         [](const auto& info) { return info.param.name; });

// The judge at work: exact rows pass, rows with one mistake in them do not.
class Judge : public testing::Test {
 protected:
  Judge() : data_(DType::bf16, DType::bf16, kDim, 9), tokens_(4000, 7) {
    question_.position = 3999;
    question_.tokens = tokens_;
    question_.head_dim = kDim;
    question_.sm_scale = 0.125;
    answer_ = reference_row(data_, question_);
  }

  RowVerdict judge(std::vector<double> o, double lse) const {
    for (double& x : o) {  // as it would be stored
      uint16_t half = 0;
      write_element(&half, DType::bf16, 0, static_cast<float>(x));
      x = read_element(&half, DType::bf16, 0);
    }
    return judge_row(answer_, o, lse, precision_of("cpu_avx512_bf16", DType::bf16));
  }

  Synthetic data_;
  std::vector<int32_t> tokens_;
  RowQuestion question_;
  RowAnswer answer_;
};

TEST_F(Judge, PassesTheExactRow) {
  const RowVerdict verdict = judge(answer_.o, answer_.lse);
  EXPECT_TRUE(verdict.ok);
  EXPECT_LE(verdict.max_error_share, 1);
}

TEST_F(Judge, RefusesAnotherRow) {
  RowQuestion other = question_;
  other.head = 1;
  EXPECT_FALSE(judge(reference_row(data_, other).o, answer_.lse).ok);
  other = question_;
  other.position -= 1;
  EXPECT_FALSE(judge(reference_row(data_, other).o, answer_.lse).ok);
}

TEST_F(Judge, RefusesARowThatLostAPage) {
  std::vector<int32_t> wrong = tokens_;
  for (int i = 1600; i < 1616; ++i) wrong[i] = 8;  // 16 keys of 4000 are another request's
  RowQuestion other = question_;
  other.tokens = wrong;
  EXPECT_FALSE(judge(reference_row(data_, other).o, answer_.lse).ok);
}

TEST_F(Judge, RefusesNotANumberAndAWrongLse) {
  std::vector<double> o = answer_.o;
  o[3] = std::nan("");
  EXPECT_FALSE(judge_row(answer_, o, answer_.lse, precision_of("cpu_scalar", DType::f32)).ok);
  EXPECT_FALSE(judge(answer_.o, answer_.lse + 0.01).ok);
  EXPECT_FALSE(judge(answer_.o, std::nan("")).ok);
}

}  // namespace
}  // namespace weft::cli
