// SPDX-License-Identifier: Apache-2.0
// logprobs on a GPU: the very bits of the CPU over sampling's case table, large vocabularies, rows
// without a distribution, captured graphs, wrong parameters, and how long it takes.
#include "weft/logprobs.h"

#include <cmath>

#include "tests/cases/logprobs_case.h"
#include "tests/gpu/backend.h"
#include "tests/gpu/buffer_mirror.h"

namespace weft::test {
namespace {

using cases::LogprobsData;
using cases::SamplingCase;

class LogprobsOnGpu : public BackendTest {
 protected:
  static void add(BufferMirror& mirror, const LogprobsData& data) {
    for (const auto* tensors : {&data.rows.inputs, &data.outputs}) {
      for (const cases::OwnedTensor& t : *tensors) mirror.add(t.buffer);
    }
    mirror.add(data.token.buffer);
  }

  // Empty when a run gives the bits of the CPU.
  static std::string check(LogprobsData& data) {
    data.poison();
    Logprobs(data.config).run(data.args);
    const std::vector<char> wanted = data.bits();
    data.poison();
    BufferMirror mirror(device(), stream());
    add(mirror, data);
    Logprobs(data.config, backend()).run(mirror.args(data.args), executor());
    const std::string wrong = mirror.download();
    if (!wrong.empty()) return wrong;
    return data.bits() == wanted ? "" : "other bits than the CPU " + cases::compare_logprobs(data);
  }
};

TEST_F(LogprobsOnGpu, CasesHaveTheBitsOfTheCpu) {
  for (const SamplingCase& c : cases::sampling_cases()) {
    if (c.input == SamplingInput::probs) continue;
    LogprobsData data = cases::make_logprobs_data(c, 20, cases::hash_of(c.name));
    EXPECT_EQ(check(data), "") << c.name;
  }
}

TEST_F(LogprobsOnGpu, LargeVocabulariesHaveTheBitsOfTheCpu) {
  using enum cases::LogitSpread;
  for (const int vocab : {128256, 1 << 20}) {
    for (const auto spread : {normal, all_equal, sorted, mostly_masked}) {
      for (const int num : {20, 128}) {
        const SamplingCase c{.name = "large", .vocab = vocab, .n = 2, .spread = spread};
        LogprobsData data = cases::make_logprobs_data(c, num, static_cast<uint64_t>(vocab + num));
        EXPECT_EQ(check(data), "") << vocab << " spread " << static_cast<int>(spread);
      }
    }
  }
}

TEST_F(LogprobsOnGpu, RowsWithoutADistribution) {
  for (const float value : {NAN, -INFINITY}) {
    LogprobsData data = cases::make_logprobs_data({.name = "none", .vocab = 9000, .n = 3}, 5, 1);
    float* const row = static_cast<float*>(data.args.input.data) + 9000;
    for (int t = 0; t < 9000; ++t) row[t] = std::isnan(value) ? row[t] : value;
    if (std::isnan(value)) row[777] = value;
    EXPECT_EQ(check(data), "") << value;
  }
}

TEST_F(LogprobsOnGpu, WrongParametersAreAStatusAndNamed) {
  LogprobsData data = cases::make_logprobs_data({.name = "wrong", .vocab = 900}, 5, 1);
  static_cast<int32_t*>(data.args.token.data)[2] = 900;
  data.poison();
  BufferMirror mirror(device(), stream());
  add(mirror, data);
  const Logprobs op(data.config, backend());
  op.run(mirror.args(data.args), executor());
  EXPECT_NE(error_of([&] { op.check(executor()); }).find("token[2]"), std::string::npos);
  EXPECT_EQ(error_of([&] { op.check(executor()); }), "");
  ASSERT_EQ(mirror.download(), "");
  for (int64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(static_cast<const uint8_t*>(data.args.status.data)[i], i == 2 ? 3 : 0);
  }
}

TEST_F(LogprobsOnGpu, ReplaysOfAGraphReadLogitsAnew) {
  LogprobsData data = cases::make_logprobs_data({.name = "graph", .vocab = 32000, .n = 5}, 20, 1);
  BufferMirror mirror(device(), stream());
  add(mirror, data);
  const Logprobs op(data.config, backend());
  const LogprobsArgs args = mirror.args(data.args);
  const CapturedGraph graph(device(), stream(), [&] { op.run(args, executor()); });
  for (int round = 0; round < 3; ++round) {
    auto* logits = static_cast<float*>(data.args.input.data);
    for (int i = 0; i < 5 * 32000; i += 7) logits[i] += static_cast<float>(round);
    data.poison();
    mirror.upload();
    graph.replay();
    ASSERT_EQ(mirror.download(), "");
    EXPECT_EQ(cases::compare_logprobs(data), "") << round;
  }
}

TEST_F(LogprobsOnGpu, Time) {
  constexpr int64_t kVocab = 128256, kRows = 512;
  const Device on{DeviceType::cuda, device().target().device_index};
  DeviceArray<float> logits(device(), kRows * kVocab), values(device(), kRows * 20);
  DeviceArray<int32_t> tokens(device(), kRows * 20);
  cases::Random random(3);
  std::vector<float> some(16 * kVocab), all;
  for (float& x : some) x = static_cast<float>(random.normal());
  for (int64_t r = 0; r < kRows; r += 16) all.insert(all.end(), some.begin(), some.end());
  logits.write(all, stream());
  const Logprobs op({.vocab_size = kVocab, .num = 20, .checked = false}, backend());
  for (const int64_t n : {1, 8, 32, 128, 256}) {
    const int sets = static_cast<int>(std::min<int64_t>(kRows / n, 256));
    const double us = time_us(std::max(sets, 8), [&](int i) {
      LogprobsArgs args;
      args.input = TensorView(logits.data() + i % sets * n * kVocab, DType::f32, {n, kVocab}, on);
      args.top_tokens = TensorView(tokens.data(), DType::i32, {n, 20}, on);
      args.top_logprobs = TensorView(values.data(), DType::f32, {n, 20}, on);
      op.run(args, executor());
    });
    report("logprobs/top20_b" + std::to_string(n), us, static_cast<double>(n * kVocab) * 4);
    EXPECT_GT(us, 0);
  }
}

}  // namespace
}  // namespace weft::test
