// SPDX-License-Identifier: Apache-2.0
// Sampling on a GPU: the very bits of the CPU over its case table, rows that cannot be drawn from,
// captured graphs, wrong parameters, and how long it takes.
#include "weft/sampling.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tests/cases/sampling_case.h"
#include "tests/gpu/backend.h"
#include "tests/gpu/buffer_mirror.h"
#include "tests/oracle/numbers.h"

namespace weft::test {
namespace {

using cases::OwnedTensor;
using cases::SamplingCase;
using cases::SamplingData;

std::vector<char> results_of(const SamplingData& data) {
  std::vector<char> all;
  for (const OwnedTensor* t : {&data.token, &data.logprob, &data.status, &data.probs}) {
    const std::vector<char> bytes = cases::bytes_of(t->buffer);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

class SamplingOnGpu : public BackendTest {
 protected:
  static void add(BufferMirror& mirror, const SamplingData& data) {
    for (const OwnedTensor& t : data.inputs) mirror.add(t.buffer);
    for (const OwnedTensor* t : {&data.token, &data.logprob, &data.status, &data.probs}) {
      mirror.add(t->buffer);
    }
  }

  static void poison(SamplingData& data) {
    for (OwnedTensor* t : {&data.token, &data.logprob, &data.status, &data.probs}) t->poison();
  }

  // Empty when both calls give the bits of the CPU.
  static std::string check(SamplingData& data) {
    const bool filters = data.filter.input.given();
    poison(data);
    const Sampling on_cpu(data.config);
    on_cpu.run(data.args);
    if (filters) on_cpu.filter(data.filter);
    const std::vector<char> wanted = results_of(data);
    poison(data);
    BufferMirror mirror(device(), stream());
    add(mirror, data);
    const Sampling op(data.config, backend());
    op.run(mirror.args(data.args), executor());
    if (filters) op.filter(mirror.args(data.filter), executor());
    const std::string wrong = mirror.download();
    if (!wrong.empty()) return wrong;
    if (results_of(data) == wanted) return "";
    const std::string draws = cases::compare_samples(data);
    return "other bits than the CPU; " +
           (draws.empty() && filters ? cases::compare_filter(data) : draws);
  }
};

TEST_F(SamplingOnGpu, CasesHaveTheBitsOfTheCpu) {
  for (const SamplingCase& c : cases::sampling_cases()) {
    SamplingData data = cases::make_sampling_data(c, cases::hash_of(c.name));
    EXPECT_EQ(check(data), "") << c.name;
  }
}

TEST_F(SamplingOnGpu, LargeVocabulariesHaveTheBitsOfTheCpu) {
  for (const int vocab : {50257, 262144}) {
    for (const double top_p : {-1.0, 0.9}) {
      for (const int top_k : {-1, 50, 2000}) {
        const SamplingCase c{
            .name = "large", .vocab = vocab, .n = 2, .top_p = top_p, .top_k = top_k};
        SamplingData data = cases::make_sampling_data(c, static_cast<uint64_t>(vocab));
        EXPECT_EQ(check(data), "") << vocab << " p " << top_p << " k " << top_k;
      }
    }
  }
}

// The more rows there are, the fewer CTAs has each.
TEST_F(SamplingOnGpu, ManyRowsHaveTheBitsOfTheCpu) {
  const int sms = device().target().num_sms;
  for (const int n : {sms / 8 + 1, sms / 4 + 1, sms + 1}) {
    const SamplingCase wanted[] = {
        {.name = "top-k first", .top_p = 0.7, .top_k = 40},
        {.name = "joint", .order = FilterOrder::joint, .top_p = 0.7, .top_k = 40},
        {.name = "top-p", .top_p = 0.7},
        {.name = "top-p of probabilities", .input = SamplingInput::probs, .top_p = 0.7},
        {.name = "top-p and min-p", .order = FilterOrder::joint, .top_p = 0.99, .min_p = 0.01},
        {.name = "no filter"}};
    for (SamplingCase c : wanted) {
      c.vocab = 20000, c.n = n;
      SamplingData data = cases::make_sampling_data(c, static_cast<uint64_t>(n));
      EXPECT_EQ(check(data), "") << c.name << " of " << n << " rows";
    }
  }
}

TEST_F(SamplingOnGpu, RandomCasesHaveTheBitsOfTheCpu) {
  cases::Random random(12);
  for (int i = 0; i < 15; ++i) {
    const SamplingCase c = cases::random_sampling_case(random, 40000);
    SamplingData data = cases::make_sampling_data(c, static_cast<uint64_t>(i));
    ASSERT_EQ(check(data), "") << "case " << i << " vocab " << c.vocab;
  }
}

TEST_F(SamplingOnGpu, RowsThatCannotBeDrawnFrom) {
  for (const float value : {NAN, -INFINITY}) {
    const SamplingCase c{.name = "nothing", .vocab = 9000, .n = 3, .top_p = 0.9, .top_k = 20};
    SamplingData data = cases::make_sampling_data(c, 1);
    float* const row = static_cast<float*>(data.args.input.data) + 9000;
    for (int t = 0; t < 9000; ++t) row[t] = std::isnan(value) ? row[t] : value;
    if (std::isnan(value)) row[777] = value;
    EXPECT_EQ(check(data), "") << value;
  }
}

TEST_F(SamplingOnGpu, WrongParametersAreAStatusAndNamed) {
  const SamplingCase c{.name = "wrong", .vocab = 900, .n = 4, .top_p = 0.5};
  SamplingData data = cases::make_sampling_data(c, 1);
  static_cast<float*>(data.args.top_p.data)[2] = NAN;
  poison(data);
  BufferMirror mirror(device(), stream());
  add(mirror, data);
  const Sampling op(data.config, backend());
  op.run(mirror.args(data.args), executor());
  EXPECT_NE(error_of([&] { op.check(executor()); }).find("top_p[2]"), std::string::npos);
  EXPECT_EQ(error_of([&] { op.check(executor()); }), "");
  ASSERT_EQ(mirror.download(), "");
  for (int64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(static_cast<const uint8_t*>(data.args.status.data)[i], i == 2 ? 3 : 0);
  }
  EXPECT_EQ(oracle::int_at(data.args.token, 2), 0);
}

TEST_F(SamplingOnGpu, ReplaysOfAGraphReadParametersAnew) {
  const SamplingCase c{.name = "graph", .vocab = 32000, .n = 9, .top_p = 0.9, .top_k = 50};
  SamplingData data = cases::make_sampling_data(c, 5);
  BufferMirror mirror(device(), stream());
  add(mirror, data);
  const Sampling op(data.config, backend());
  const SamplingArgs args = mirror.args(data.args);
  const CapturedGraph graph(device(), stream(), [&] { op.run(args, executor()); });
  for (int64_t offset = 0; offset < 3; ++offset) {
    for (int i = 0; i < 9; ++i) static_cast<int64_t*>(data.args.offset.data)[i] = offset;
    poison(data);
    mirror.upload();
    graph.replay();
    ASSERT_EQ(mirror.download(), "");
    EXPECT_EQ(cases::compare_samples(data), "");
  }
}

TEST_F(SamplingOnGpu, ExplainsItself) {
  const Sampling op({.vocab_size = 128256}, backend());
  EXPECT_NE(op.explain().find("a cluster of 8 CTAs a row"), std::string::npos) << op.explain();
}

constexpr int64_t kVocab = 128256, kRows = 512;

/// Rows of normal numbers, more than the L2 holds, and parameters for as many samples.
struct TimedRows {
  TimedRows(const CudaDevice& device, cu::Stream stream)
      : logits(device, kRows * kVocab),
        seed(device, kRows),
        top_k(device, kRows),
        top_p(device, kRows),
        token(device, kRows),
        out(device, kRows / 2 * kVocab) {
    constexpr int64_t kDistinct = 16;
    cases::Random random(3);
    std::vector<float> some(kDistinct * kVocab), all;
    for (float& x : some) x = static_cast<float>(random.normal());
    for (int64_t r = 0; r < kRows; r += kDistinct) all.insert(all.end(), some.begin(), some.end());
    logits.write(all, stream);
    std::vector<int64_t> seeds(kRows);
    for (int64_t i = 0; i < kRows; ++i) seeds[static_cast<size_t>(i)] = i;
    seed.write(seeds, stream);
    top_k.write(std::vector<int32_t>(kRows, 50), stream);
    top_p.write(std::vector<float>(kRows, 0.9f), stream);
  }

  DeviceArray<float> logits;
  DeviceArray<int64_t> seed;
  DeviceArray<int32_t> top_k;
  DeviceArray<float> top_p;
  DeviceArray<int32_t> token;
  DeviceArray<float> out;
};

enum class TimedJob { draw, softmax, renorm, mask };

struct TimedCall {
  const char* id;
  const Sampling& op;
  bool top_k, top_p;
  TimedJob job;
};

FilterArgs filter_args(const TimedRows& rows, int64_t n, int64_t at, Device on) {
  FilterArgs args;
  args.input = TensorView(rows.logits.data() + at * kVocab, DType::f32, {n, kVocab}, on);
  args.probs = TensorView(rows.out.data() + at % (kRows / 2) * kVocab, DType::f32, {n, kVocab}, on);
  return args;
}

void run_timed(const TimedCall& c, const TimedRows& rows, int64_t n, int64_t at, Device on,
               const Executor& executor) {
  const TensorView k(rows.top_k.data(), DType::i32, {n}, on);
  const TensorView p(rows.top_p.data(), DType::f32, {n}, on);
  FilterArgs filter = filter_args(rows, n, at, on);
  if (c.job == TimedJob::draw) {
    SamplingArgs args;
    args.input = filter.input;
    args.seed = TensorView(rows.seed.data(), DType::i64, {n}, on);
    args.token = TensorView(rows.token.data(), DType::i32, {n}, on);
    if (c.top_k) args.top_k = k;
    if (c.top_p) args.top_p = p;
    return c.op.run(args, executor);
  }
  if (c.job == TimedJob::mask) filter.masked = std::exchange(filter.probs, {});
  if (c.top_k) filter.top_k = k;
  if (c.top_p) filter.top_p = p;
  c.op.filter(filter, executor);
}

TEST_F(SamplingOnGpu, Time) {
  TimedRows rows(device(), stream());
  const Device on{DeviceType::cuda, device().target().device_index};
  const SamplingConfig config{.vocab_size = static_cast<int>(kVocab), .checked = false};
  SamplingConfig joint = config, probs = config;
  joint.order = FilterOrder::joint;
  probs.input = SamplingInput::probs;
  const Sampling first(config, backend()), whole(joint, backend()), of_probs(probs, backend());
  const TimedCall all[] = {{"sampling/topk50_topp09", first, true, true, TimedJob::draw},
                           {"sampling/topk50_topp09_joint", whole, true, true, TimedJob::draw},
                           {"sampling/topp09", first, false, true, TimedJob::draw},
                           {"sampling/categorical", first, false, false, TimedJob::draw},
                           {"softmax/softmax", first, false, false, TimedJob::softmax},
                           {"sampling/topk_mask", first, true, false, TimedJob::mask},
                           {"sampling/topp_renorm", of_probs, false, true, TimedJob::renorm}};
  for (const TimedCall& c : all) {
    for (int64_t at = 0; c.job == TimedJob::renorm && at < kRows; at += 64) {
      FilterArgs args = filter_args(rows, 64, at, on);  // from here on rows hold probabilities
      args.probs = args.input;
      first.filter(args, executor());
    }
    for (const int64_t n : {1, 8, 32, 128, 256}) {
      const int sets = static_cast<int>(std::min<int64_t>(kRows / n, 256));
      const double us = time_us(
          std::max(sets, 8), [&](int i) { run_timed(c, rows, n, i % sets * n, on, executor()); });
      const double passes = c.job == TimedJob::draw ? 1 : 2;
      report(c.id + ("_b" + std::to_string(n)), us, static_cast<double>(n * kVocab) * 4 * passes);
      EXPECT_GT(us, 0);
    }
  }
}

}  // namespace
}  // namespace weft::test
