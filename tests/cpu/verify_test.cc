// SPDX-License-Identifier: Apache-2.0
// Speculative verification on the CPU: acceptance as often as the closed form says, texts
// distributed as the target model's own, chains and trees, and what is refused.
#include "weft/verify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/cases/random.h"
#include "tests/cases/refusal.h"
#include "tests/cases/targets.h"
#include "tests/cases/verify_case.h"

namespace weft::cases {
namespace {

// `n` requests with the same probabilities, and seeds of their own.
struct Call {
  Call(int n_in, int vocab_in, int drafts_in, bool tree)
      : n(n_in), vocab(vocab_in), drafts(drafts_in) {
    config = {.vocab_size = vocab, .num_draft = drafts, .tree = tree};
    const auto count = static_cast<size_t>(n), d = static_cast<size_t>(drafts);
    q = rows(d, 1), p = rows(d + 1, 2);
    draft_tokens.resize(count * d);
    tokens.assign(count * (d + 1), -7);
    accepted.resize(count), emitted.resize(count), status.resize(count), seed.resize(count);
    for (size_t i = 0; i < count; ++i) seed[i] = static_cast<int64_t>(i);
  }
  std::vector<float> rows(size_t number, uint64_t from) const {
    Random random(from);
    std::vector<float> all;
    for (size_t r = 0; r < number; ++r) {
      std::vector<double> row(static_cast<size_t>(vocab));
      double sum = 0;
      for (double& x : row) sum += x = std::exp(2 * random.normal());
      for (double x : row) all.push_back(static_cast<float>(x / sum));
    }
    return all;
  }
  // Every request reads the same probabilities.
  VerifyArgs args() {
    VerifyArgs a;
    a.target_probs = TensorView(p.data(), DType::f32, {n, drafts + 1, vocab});
    a.target_probs.strides[0] = 0;
    if (!config.tree) {
      a.draft_probs = TensorView(q.data(), DType::f32, {n, drafts, vocab});
      a.draft_probs.strides[0] = 0;
    } else {
      a.first_child = TensorView(first.data(), DType::i32, {n, drafts + 1});
      a.next_sibling = TensorView(next.data(), DType::i32, {n, drafts + 1});
      a.first_child.strides[0] = a.next_sibling.strides[0] = 0;
    }
    a.draft_tokens = TensorView(draft_tokens.data(), DType::i32, {n, drafts});
    a.seed = TensorView(seed.data(), DType::i64, {n});
    a.tokens = TensorView(tokens.data(), DType::i32, {n, drafts + 1});
    a.accepted = TensorView(accepted.data(), DType::i32, {n});
    a.emitted = TensorView(emitted.data(), DType::i32, {n});
    a.status = TensorView(status.data(), DType::u8, {n});
    return a;
  }
  float target(int row, int token) const { return p[static_cast<size_t>(row * vocab + token)]; }
  float draft(int row, int token) const { return q[static_cast<size_t>(row * vocab + token)]; }

  int n, vocab, drafts;
  VerifyConfig config;
  std::vector<float> p, q;
  std::vector<int32_t> draft_tokens, tokens, accepted, emitted, first, next;
  std::vector<uint8_t> status;
  std::vector<int64_t> seed;
};

int draw(const float* row, int vocab, Random& random) {
  double u = random.uniform();
  for (int t = 0; t < vocab; ++t) {
    if (u < row[t]) return t;
    u -= row[t];
  }
  return vocab - 1;
}

// Standard deviations between a count and what `n` draws of probability `p` give.
double off(double count, double n, double p) {
  return (count - n * p) / std::sqrt(std::max(1e-9, n * p * (1 - p)));
}

TEST(Verify, AChainAcceptsAndSaysWhatItShould) {
  Call call(200000, 12, 3, false);
  Random random(5);
  for (size_t i = 0; i < call.draft_tokens.size(); ++i) {
    const int row = static_cast<int>(i % 3);
    call.draft_tokens[i] = draw(call.q.data() + row * call.vocab, call.vocab, random);
  }
  Verify(call.config).run(call.args());
  // The chance that draft j stands, given those before it, is the sum of min(p, q).
  double stands = 1;
  for (int j = 0; j < call.drafts; ++j) {
    double overlap = 0;
    for (int t = 0; t < call.vocab; ++t) overlap += std::min(call.target(j, t), call.draft(j, t));
    stands *= overlap;
    const auto longer =
        std::count_if(call.emitted.begin(), call.emitted.end(), [&](int32_t e) { return e > j; });
    EXPECT_LT(std::fabs(off(static_cast<double>(longer), call.n, stands)), 4.5) << j;
  }
  // The first token is distributed as the target's.
  std::vector<double> seen(static_cast<size_t>(call.vocab));
  for (int i = 0; i < call.n; ++i) {
    ++seen[static_cast<size_t>(call.tokens[static_cast<size_t>(i) * 4])];
  }
  for (int t = 0; t < call.vocab; ++t) {
    EXPECT_LT(std::fabs(off(seen[static_cast<size_t>(t)], call.n, call.target(0, t))), 4.5) << t;
  }
}

TEST(Verify, ATreeSaysWhatTheTargetSays) {
  Call call(200000, 10, 4, true);
  // The root has children 1, 2 and 3; child 2 has child 4.
  call.first = {1, 0, 4, 0, 0};
  call.next = {0, 2, 3, -1, 0};
  for (size_t i = 0; i < call.draft_tokens.size(); i += 4) {
    const int32_t drafts[] = {3, 7, 0, 5};
    std::copy_n(drafts, 4, call.draft_tokens.begin() + static_cast<std::ptrdiff_t>(i));
  }
  Verify(call.config).run(call.args());
  std::vector<double> seen(10), behind(10);
  double sevens = 0;
  for (int i = 0; i < call.n; ++i) {
    const int32_t* tokens = call.tokens.data() + static_cast<std::ptrdiff_t>(i) * 5;
    ++seen[static_cast<size_t>(tokens[0])];
    const int32_t emitted = call.emitted[static_cast<size_t>(i)];
    EXPECT_GE(tokens[emitted], 0);
    for (int e = emitted + 1; e < 5; ++e) EXPECT_EQ(tokens[e], -1);
    if (tokens[0] != 7) continue;
    ++sevens;
    ++behind[static_cast<size_t>(tokens[1])];
  }
  for (int t = 0; t < 10; ++t) {
    EXPECT_LT(std::fabs(off(seen[static_cast<size_t>(t)], call.n, call.target(0, t))), 4.5) << t;
    EXPECT_LT(std::fabs(off(behind[static_cast<size_t>(t)], sevens, call.target(2, t))), 4.5) << t;
  }
}

TEST(Verify, EqualModelsAcceptEverything) {
  Call call(2000, 50, 4, false);
  call.q.assign(call.p.begin(), call.p.begin() + 4 * 50);
  Random random(6);
  for (size_t i = 0; i < call.draft_tokens.size(); ++i) {
    call.draft_tokens[i] =
        draw(call.q.data() + static_cast<std::ptrdiff_t>(i % 4) * 50, 50, random);
  }
  Verify(call.config).run(call.args());
  for (int32_t emitted : call.emitted) EXPECT_EQ(emitted, 4);
  EXPECT_EQ(call.accepted, call.emitted);
}

// Of a case: outputs that could be, and the same bits on every instruction set.
std::string check(const VerifyCase& c, uint64_t seed) {
  VerifyData data = make_verify_data(c, seed);
  std::vector<char> first;
  for (const Target& target : host_targets()) {
    data.poison();
    Verify(data.config, target).run(data.args);
    if (first.empty()) first = data.bits();
    if (data.bits() != first) return "other bits on " + to_string(target);
  }
  return check_verified(data);
}

TEST(Verify, TheSameOnEveryInstructionSet) {
  for (const VerifyCase& c : verify_cases()) EXPECT_EQ(check(c, hash_of(c.name)), "") << c.name;
  Random random(8);
  for (int i = 0; i < 300; ++i) {
    const VerifyCase c = random_verify_case(random, 600);
    ASSERT_EQ(check(c, static_cast<uint64_t>(i)), "") << "case " << i;
  }
}

TEST(Verify, StatusesAreWhatTheCasesAskFor) {
  const auto statuses = [](const VerifyCase& c) {
    const VerifyData data = make_verify_data(c, 1);
    Verify(data.config).run(data.args);
    const auto* status = static_cast<const uint8_t*>(data.args.status.data);
    return std::vector<int>(status, status + c.n);
  };
  using enum VerifyOddity;
  const auto all = [](int status) { return std::vector<int>(4, status); };
  EXPECT_EQ(statuses({.name = "fine"}), all(0));
  EXPECT_EQ(statuses({.name = "nan", .oddity = nan}), all(1));
  EXPECT_EQ(statuses({.name = "nan", .tree = true, .oddity = nan}), all(1));
  EXPECT_EQ(statuses({.name = "circle", .tree = true, .oddity = circle}), all(3));
  EXPECT_EQ(statuses({.name = "equal", .oddity = equal_models}), all(0));
}

TEST(Verify, WrongTokensAndLinksAreAStatus) {
  Call chain(2, 10, 2, false);
  chain.draft_tokens = {1, 10, 1, 2};
  Verify(chain.config).run(chain.args());
  EXPECT_EQ(chain.status[0], 3);
  EXPECT_EQ(chain.tokens[0], 0);
  EXPECT_EQ(chain.emitted[0], 0);
  EXPECT_EQ(chain.status[1], 0);
  Call tree(1, 10, 2, true);
  tree.first = {1, 0, 0};
  tree.next = {0, 1, 0};  // its own sibling
  tree.draft_tokens = {9, 9};
  std::fill(tree.p.begin(), tree.p.end(), 0.0f);
  Verify(tree.config).run(tree.args());
  EXPECT_EQ(tree.status[0], 3);
}

TEST(VerifyRefuses, WrongTensors) {
  struct Row {
    const char* name;
    TensorView VerifyArgs::*field;
  };
  const Row rows[] = {{"target_probs", &VerifyArgs::target_probs},
                      {"draft_probs", &VerifyArgs::draft_probs},
                      {"draft_tokens", &VerifyArgs::draft_tokens},
                      {"seed", &VerifyArgs::seed},
                      {"tokens", &VerifyArgs::tokens}};
  Call call(3, 10, 2, false);
  for (const Row& row : rows) {
    for (const TensorFault& fault : tensor_faults()) {
      if (row.field == &VerifyArgs::target_probs && std::string(fault.name) == "another size") {
        continue;
      }
      VerifyArgs args = call.args();
      args.target_probs.strides[0] = 30, args.draft_probs.strides[0] = 20;  // nothing is read
      fault.apply(args.*row.field);
      EXPECT_EQ(check_refusal([&] { Verify(call.config).run(args); }, ErrorKind::invalid_argument,
                              row.name, fault.part, {}),
                "")
          << row.name << " " << fault.name;
    }
  }
  VerifyConfig none = call.config;
  none.num_draft = 0;
  EXPECT_EQ(check_refusal([&] { Verify{none}; }, ErrorKind::invalid_argument, "num_draft", "", {}),
            "");
}

}  // namespace
}  // namespace weft::cases
