// SPDX-License-Identifier: Apache-2.0
// verify on a GPU: the very bits of the CPU over its case table, large vocabularies, captured
// graphs, and how long it takes.
#include "weft/verify.h"

#include "tests/cases/verify_case.h"
#include "tests/gpu/backend.h"
#include "tests/gpu/buffer_mirror.h"

namespace weft::test {
namespace {

using cases::VerifyCase;
using cases::VerifyData;

class VerifyOnGpu : public BackendTest {
 protected:
  static void add(BufferMirror& mirror, const VerifyData& data) {
    for (const auto* tensors : {&data.inputs, &data.outputs}) {
      for (const cases::OwnedTensor& t : *tensors) mirror.add(t.buffer);
    }
  }

  // Empty when a run gives the bits of the CPU.
  static std::string check(VerifyData& data) {
    Verify(data.config).run(data.args);
    const std::vector<char> wanted = data.bits();
    data.poison();
    BufferMirror mirror(device(), stream());
    add(mirror, data);
    Verify(data.config, backend()).run(mirror.args(data.args), executor());
    const std::string wrong = mirror.download();
    if (!wrong.empty()) return wrong;
    return data.bits() == wanted ? "" : "other bits than the CPU " + cases::check_verified(data);
  }
};

TEST_F(VerifyOnGpu, CasesHaveTheBitsOfTheCpu) {
  for (const VerifyCase& c : cases::verify_cases()) {
    VerifyData data = cases::make_verify_data(c, cases::hash_of(c.name));
    EXPECT_EQ(check(data), "") << c.name;
  }
}

TEST_F(VerifyOnGpu, LargeVocabulariesHaveTheBitsOfTheCpu) {
  for (const int vocab : {50257, 262144}) {
    for (const bool tree : {false, true}) {
      const VerifyCase c{.name = "large", .vocab = vocab, .num_draft = 3, .n = 2, .tree = tree};
      VerifyData data = cases::make_verify_data(c, static_cast<uint64_t>(vocab));
      EXPECT_EQ(check(data), "") << vocab << " tree " << tree;
    }
  }
}

TEST_F(VerifyOnGpu, RandomCasesHaveTheBitsOfTheCpu) {
  cases::Random random(19);
  for (int i = 0; i < 10; ++i) {
    const VerifyCase c = cases::random_verify_case(random, 2000);
    VerifyData data = cases::make_verify_data(c, static_cast<uint64_t>(i));
    ASSERT_EQ(check(data), "") << "case " << i << " vocab " << c.vocab;
  }
}

TEST_F(VerifyOnGpu, ReplaysOfAGraphReadSeedsAnew) {
  VerifyData data = cases::make_verify_data({.name = "graph", .vocab = 5000, .n = 7}, 3);
  BufferMirror mirror(device(), stream());
  add(mirror, data);
  const Verify op(data.config, backend());
  const VerifyArgs args = mirror.args(data.args);
  const CapturedGraph graph(device(), stream(), [&] { op.run(args, executor()); });
  for (int64_t seed = 0; seed < 3; ++seed) {
    for (int i = 0; i < 7; ++i) static_cast<int64_t*>(data.args.seed.data)[i] = seed;
    data.poison();
    Verify(data.config).run(data.args);
    const std::vector<char> wanted = data.bits();
    data.poison();
    mirror.upload();
    graph.replay();
    ASSERT_EQ(mirror.download(), "");
    EXPECT_EQ(data.bits(), wanted) << seed;
  }
}

// Four drafts a request over a vocabulary of 128256; every request has rows of its own.
TEST_F(VerifyOnGpu, Time) {
  constexpr int64_t kVocab = 128256, kDrafts = 4, kRows = 128;
  const Device on{DeviceType::cuda, device().target().device_index};
  DeviceArray<float> target(device(), kRows * (kDrafts + 1) * kVocab);
  DeviceArray<float> draft(device(), kRows * kDrafts * kVocab);
  DeviceArray<int32_t> drafts(device(), kRows * kDrafts), out(device(), kRows * (kDrafts + 1));
  DeviceArray<int64_t> seed(device(), kRows);
  target.write(std::vector<float>(static_cast<size_t>(kRows * (kDrafts + 1) * kVocab), 7e-6f),
               stream());
  std::vector<float> some(static_cast<size_t>(kRows * kDrafts * kVocab), 6e-6f);
  // A draft stands with a chance of one half.
  for (size_t row = 0; row < kRows * kDrafts; ++row) some[row * kVocab + 77] = 1.4e-5f;
  draft.write(some, stream());
  std::vector<int64_t> seeds(kRows);
  for (int64_t i = 0; i < kRows; ++i) seeds[static_cast<size_t>(i)] = i;
  seed.write(seeds, stream());
  drafts.write(std::vector<int32_t>(static_cast<size_t>(kRows * kDrafts), 77), stream());
  const Verify op({.vocab_size = kVocab, .num_draft = kDrafts}, backend());
  for (const int64_t n : {1, 8, 32, 64}) {
    const int sets = static_cast<int>(kRows / n);
    const double us = time_us(std::max(sets, 8), [&](int i) {
      const int64_t at = i % sets * n;
      VerifyArgs args;
      args.target_probs = TensorView(target.data() + at * (kDrafts + 1) * kVocab, DType::f32,
                                     {n, kDrafts + 1, kVocab}, on);
      args.draft_probs =
          TensorView(draft.data() + at * kDrafts * kVocab, DType::f32, {n, kDrafts, kVocab}, on);
      args.draft_tokens = TensorView(drafts.data(), DType::i32, {n, kDrafts}, on);
      args.seed = TensorView(seed.data(), DType::i64, {n}, on);
      args.tokens = TensorView(out.data(), DType::i32, {n, kDrafts + 1}, on);
      op.run(args, executor());
    });
    // One row of the target, and where a draft fell one of the draft's.
    report("spec_verify/q4_b" + std::to_string(n), us, static_cast<double>(n * kVocab) * 4);
    EXPECT_GT(us, 0);
  }
}

}  // namespace
}  // namespace weft::test
