// SPDX-License-Identifier: Apache-2.0
// merge as an algebra: identity, commutativity, associativity, the states of a split attention; and
// what NaN and infinities do.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/cases/executors.h"
#include "tests/cases/targets.h"
#include "tests/cases/tensors.h"
#include "tests/oracle/merge.h"
#include "weft/merge.h"

namespace weft::cases {
namespace {

constexpr int kRows = 6, kHeads = 21, kDim = 40;
constexpr float kInf = std::numeric_limits<float>::infinity();

/// A dense f32 state.
struct State {
  OwnedTensor o{DType::f32, {kRows, kHeads, kDim}};
  OwnedTensor lse{DType::f32, {kRows, kHeads}};

  float* values() const { return static_cast<float*>(o.view.data); }
  float* lses() const { return static_cast<float*>(lse.view.data); }
};

State random_state(Random& random) {
  State s;
  fill_normal(s.o.view, random);
  fill_normal(s.lse.view, random, 4.0);
  return s;
}

State identity() {
  State s;
  for (int i = 0; i < kRows * kHeads * kDim; ++i) s.values()[i] = 0;
  for (int i = 0; i < kRows * kHeads; ++i) s.lses()[i] = -kInf;
  return s;
}

State merged(const State& a, const State& b, const Target& target, bool base2) {
  State out;
  const Merge op({.dtype = DType::f32, .num_heads = kHeads, .head_dim = kDim, .lse_base2 = base2},
                 target);
  op.run(MergePairArgs{.o_a = a.o.view,
                       .lse_a = a.lse.view,
                       .o_b = b.o.view,
                       .lse_b = b.lse.view,
                       .o = out.o.view,
                       .lse = out.lse.view});
  return out;
}

void expect_close(const State& a, const State& b, float tolerance, const char* what) {
  for (int i = 0; i < kRows * kHeads * kDim; ++i) {
    ASSERT_NEAR(a.values()[i], b.values()[i], tolerance) << what << " o " << i;
  }
  for (int i = 0; i < kRows * kHeads; ++i) {
    ASSERT_NEAR(a.lses()[i], b.lses()[i], 4 * tolerance) << what << " lse " << i;
  }
}

TEST(MergeAlgebra, IdentityIsExact) {
  for (const Target& target : host_targets()) {
    for (bool base2 : {false, true}) {
      Random random(1);
      const State a = random_state(random), e = identity();
      expect_close(merged(a, e, target, base2), a, 0, "a + 0");
      expect_close(merged(e, a, target, base2), a, 0, "0 + a");
      const State none = merged(e, e, target, base2);
      EXPECT_EQ(bytes_of(none.o.buffer), bytes_of(e.o.buffer));
      EXPECT_EQ(bytes_of(none.lse.buffer), bytes_of(e.lse.buffer));
    }
  }
}

TEST(MergeAlgebra, CommutesAndAssociates) {
  for (const Target& target : host_targets()) {
    for (bool base2 : {false, true}) {
      Random random(2);
      for (int i = 0; i < 20; ++i) {
        const State a = random_state(random), b = random_state(random), c = random_state(random);
        const auto plus = [&](const State& x, const State& y) {
          return merged(x, y, target, base2);
        };
        expect_close(plus(a, b), plus(b, a), 2e-6f, "a + b = b + a");
        expect_close(plus(plus(a, b), c), plus(a, plus(b, c)), 4e-6f, "associativity");
      }
    }
  }
}

/// Attention of one query over keys [begin, end) with the given logits and values, in float64.
oracle::State attend(const std::vector<double>& logits, const std::vector<double>& values,
                     int begin, int end) {
  oracle::State s{std::vector<double>(kDim, 0.0), 0};
  double sum = 0;
  for (int j = begin; j < end; ++j) sum += std::exp(logits[static_cast<size_t>(j)]);
  for (int j = begin; j < end; ++j) {
    const double w = std::exp(logits[static_cast<size_t>(j)]) / sum;
    for (size_t d = 0; d < kDim; ++d) s.o[d] += w * values[static_cast<size_t>(j) * kDim + d];
  }
  s.lse = std::log(sum);  // -inf over no key
  return s;
}

// Cut at any places, pieces without a key among them: merging gives the whole.
TEST(MergeAlgebra, SplitsOfAttentionMakeTheWhole) {
  constexpr int kKeys = 200;
  Random random(3);
  for (const Target& target : host_targets()) {
    for (int pieces : {1, 2, 3, 9, 40}) {
      const OwnedTensor o_in(DType::f32, {1, pieces, 1, kDim}), lse_in(DType::f32, {1, pieces, 1});
      const OwnedTensor o(DType::f32, {1, 1, kDim}), lse(DType::f32, {1, 1});
      std::vector<double> logits(kKeys), values(kKeys * kDim);
      for (double& x : logits) x = 3 * random.normal();
      for (double& x : values) x = random.normal();
      std::vector<int> cuts = {0, kKeys};
      while (static_cast<int>(cuts.size()) <= pieces) {
        cuts.push_back(static_cast<int>(random.integer(0, kKeys)));
      }
      std::sort(cuts.begin(), cuts.end());
      for (int s = 0; s < pieces; ++s) {
        const auto piece = static_cast<size_t>(s);
        const oracle::State part = attend(logits, values, cuts[piece], cuts[piece + 1]);
        for (size_t d = 0; d < kDim; ++d) {
          static_cast<float*>(o_in.view.data)[piece * kDim + d] = static_cast<float>(part.o[d]);
        }
        static_cast<float*>(lse_in.view.data)[s] = static_cast<float>(part.lse);
      }
      const Merge op({.dtype = DType::f32, .num_heads = 1, .head_dim = kDim}, target);
      op.run(MergeArgs{.o_in = o_in.view, .lse_in = lse_in.view, .o = o.view, .lse = lse.view});
      const oracle::State whole = attend(logits, values, 0, kKeys);
      for (size_t d = 0; d < kDim; ++d) {
        ASSERT_NEAR(static_cast<float*>(o.view.data)[d], whole.o[d], 2e-6) << pieces << " pieces";
      }
      ASSERT_NEAR(static_cast<float*>(lse.view.data)[0], whole.lse, 2e-6) << pieces << " pieces";
    }
  }
}

// NaN or +inf in an lse poisons its own (row, head) and no other; NaN in the o of a state that
// counts shows, in the o of one that does not, no.
TEST(MergeAlgebra, NanAndInfinityStayWhereTheyAre) {
  for (const Target& target : host_targets()) {
    Random random(4);
    const State a = random_state(random), b = random_state(random);
    const State clean = merged(a, b, target, false);
    const auto lse_at = [](int row, int head) { return row * kHeads + head; };
    a.lses()[lse_at(0, 3)] = NAN;
    b.lses()[lse_at(1, 20)] = kInf;
    b.lses()[lse_at(2, 7)] = kInf, a.lses()[lse_at(2, 7)] = kInf;
    b.lses()[lse_at(3, 0)] = -kInf, b.values()[lse_at(3, 0) * kDim] = NAN;
    b.values()[lse_at(4, 5) * kDim + 2] = NAN;
    b.lses()[lse_at(5, 1)] = NAN, a.lses()[lse_at(5, 1)] = -kInf;
    const State out = merged(a, b, target, false);
    for (int row = 0; row < kRows; ++row) {
      for (int head = 0; head < kHeads; ++head) {
        const int at = lse_at(row, head);
        const bool poisoned =
            at == lse_at(0, 3) || at == lse_at(1, 20) || at == lse_at(2, 7) || at == lse_at(5, 1);
        ASSERT_EQ(std::isnan(out.lses()[at]), poisoned) << row << " " << head;
        for (int d = 0; d < kDim; ++d) {
          const float got = out.values()[at * kDim + d];
          const bool shows = poisoned || (at == lse_at(4, 5) && d == 2);
          ASSERT_EQ(std::isnan(got), shows) << row << " " << head << " " << d;
          if (shows) continue;
          ASSERT_EQ(got,
                    at == lse_at(3, 0) ? a.values()[at * kDim + d] : clean.values()[at * kDim + d]);
        }
      }
    }
  }
}

// A row's bits do not depend on its neighbours: alone, or at another place of the batch.
TEST(MergeAlgebra, RowsDoNotDependOnTheBatch) {
  for (const Target& target : host_targets()) {
    Random random(6);
    const State a = random_state(random), b = random_state(random);
    const State all = merged(a, b, target, false);
    const Merge op({.dtype = DType::f32, .num_heads = kHeads, .head_dim = kDim}, target);
    for (int64_t row = 0; row < kRows; ++row) {
      const OwnedTensor o(DType::f32, {1, kHeads, kDim}), lse(DType::f32, {1, kHeads});
      const auto only = [&](const TensorView& t) { return t.slice(0, row, row + 1); };
      op.run(MergePairArgs{.o_a = only(a.o.view),
                           .lse_a = only(a.lse.view),
                           .o_b = only(b.o.view),
                           .lse_b = only(b.lse.view),
                           .o = o.view,
                           .lse = lse.view});
      EXPECT_EQ(0, memcmp(o.view.data, only(all.o.view).data, kHeads * kDim * 4));
      EXPECT_EQ(0, memcmp(lse.view.data, only(all.lse.view).data, kHeads * 4));
    }
  }
}

TEST(MergeAlgebra, ExplainsItself) {
  const Merge op({.dtype_o = DType::f32, .num_heads = 8, .head_dim = 128, .lse_base2 = true});
  EXPECT_NE(op.explain().find("merge bf16 into f32, heads 8, head_dim 128, lse base 2"),
            std::string::npos)
      << op.explain();
  EXPECT_NE(op.explain().find("unit: cpu_"), std::string::npos) << op.explain();
}

}  // namespace
}  // namespace weft::cases
