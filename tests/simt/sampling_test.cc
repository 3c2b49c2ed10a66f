// SPDX-License-Identifier: Apache-2.0
// The sampling kernels on the host, clusters and all, over the case table: the very bits that the
// CPU gives, which tests/cpu compares with float64.
#include "tests/simt/simt.h"
// Kernels know no include of their own for what their compiler has built in.
#include <gtest/gtest.h>

#include <algorithm>
#include <exception>

#include "kernels/sampling/sample.cuh"
#include "src/ops/sampling/rooms.h"
#include "tests/cases/sampling_case.h"

namespace weft::test {
namespace {

using cases::SamplingCase;
using cases::SamplingData;

constexpr SamplingRowSpec spec_of(DType dtype, SamplingJob job, bool probs, int vec, int cluster,
                                  int slice) {
  SamplingRowSpec s;
  s.dtype = dtype;
  s.job = job;
  s.probs = probs;
  s.vec = vec;
  s.slices = {cluster, cluster == 8 ? 256 : 128, 1, slice};
  return s;
}

template <SamplingRowSpec spec>
bool run_if(const SamplingConfig& config, SamplingJob job, bool wide, const SamplingParams& p) {
  if (config.dtype != spec.dtype || (config.input == SamplingInput::probs) != spec.probs) {
    return false;
  }
  if (job != spec.job || (spec.vec == 4 && !wide)) return false;
  if (config.vocab_size > spec.slices.cluster * spec.slices.slice) return false;
  const int ctas = static_cast<int>(p.n) * spec.slices.cluster;
  for (int cta = 0; cta < ctas; cta += spec.slices.cluster) {
    simt::run_cluster(cta, ctas, spec.slices.cluster, spec.slices.num_threads,
                      SamplingSmem::of(spec).bytes, [&] { sample_rows<spec>(p); });
  }
  return true;
}

// The same without a row kept, for what adjusts no logit.
constexpr SamplingRowSpec streamed(SamplingRowSpec s) {
  s.slices.kept = false;
  return s;
}

constexpr SamplingJob kDraw = SamplingJob::draw, kFilter = SamplingJob::filter;

template <SamplingRowSpec... specs>
struct Specs {
  static bool run(const SamplingConfig& config, SamplingJob job, bool wide,
                  const SamplingParams& p) {
    return (run_if<specs>(config, job, wide, p) || ...);
  }
};

using Instantiated = Specs<
    spec_of(DType::f32, kDraw, false, 4, 2, 512), spec_of(DType::f32, kDraw, false, 1, 2, 512),
    spec_of(DType::f32, kDraw, false, 4, 8, 1024), spec_of(DType::f32, kDraw, false, 1, 8, 4096),
    spec_of(DType::f32, kFilter, false, 4, 4, 512), spec_of(DType::f32, kFilter, false, 1, 4, 1024),
    spec_of(DType::bf16, kDraw, false, 4, 1, 1024), spec_of(DType::bf16, kDraw, false, 1, 2, 1536),
    spec_of(DType::f16, kDraw, false, 1, 2, 1536), spec_of(DType::f32, kDraw, true, 4, 4, 512),
    spec_of(DType::f32, kDraw, true, 1, 2, 1536), spec_of(DType::f32, kFilter, true, 1, 2, 1536),
    spec_of(DType::bf16, kDraw, true, 1, 2, 1536)>;

using Streamed = Specs<streamed(spec_of(DType::f32, kDraw, false, 4, 2, 512)),
                       streamed(spec_of(DType::f32, kDraw, false, 4, 8, 1024)),
                       streamed(spec_of(DType::f32, kDraw, false, 4, 1, 5120)),
                       streamed(spec_of(DType::f32, kDraw, false, 1, 1, 32256)),
                       streamed(spec_of(DType::f32, kFilter, false, 4, 1, 1536)),
                       streamed(spec_of(DType::f32, kFilter, false, 4, 4, 1536)),
                       streamed(spec_of(DType::f32, kFilter, false, 1, 4, 4096)),
                       streamed(spec_of(DType::bf16, kDraw, false, 4, 1, 1024)),
                       streamed(spec_of(DType::f16, kDraw, false, 1, 1, 1536)),
                       streamed(spec_of(DType::bf16, kDraw, false, 4, 2, 2048)),
                       streamed(spec_of(DType::f32, kDraw, true, 4, 1, 1536)),
                       streamed(spec_of(DType::f32, kDraw, true, 4, 2, 1536)),
                       streamed(spec_of(DType::f32, kFilter, true, 1, 2, 1536))>;

std::vector<char> results_of(const SamplingData& data) {
  std::vector<char> all;
  for (const auto* t : {&data.token, &data.logprob, &data.status, &data.probs}) {
    const std::vector<char> bytes = cases::bytes_of(t->buffer);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

void poison(SamplingData& data) {
  for (auto* t : {&data.token, &data.logprob, &data.status, &data.probs}) t->poison();
}

// Empty when the kernel gives the bits of the CPU, or is not instantiated.
std::string check(const SamplingCase& c, uint64_t seed, int& num_run, bool scrambled = false) {
  SamplingData data = cases::make_sampling_data(c, seed);
  cases::Random random(seed);
  if (scrambled) cases::scramble(data, random);
  const bool wide = c.pad == 0 && c.vocab % 4 == 0;
  for (const SamplingJob job : {kDraw, kFilter}) {
    if (job == kFilter && c.indices) continue;
    const Sampling op(data.config);
    const auto run_cpu = [&] {
      if (job == kDraw) op.run(data.args);
      if (job == kFilter) op.filter(data.filter);
    };
    const SamplingParams p = job == kDraw ? bind_sampling(data.config, data.args)
                                          : bind_filter(data.config, data.filter);
    poison(data);
    run_cpu();
    const std::vector<char> wanted = results_of(data);
    for (const bool kept : {true, false}) {
      if (!kept && adjusts(p)) continue;
      poison(data);
      try {
        if (!(kept ? Instantiated::run : Streamed::run)(data.config, job, wide, p)) continue;
      } catch (const std::exception& error) {
        return error.what();
      }
      ++num_run;
      if (results_of(data) == wanted) continue;
      const std::string name =
          std::string(job == kDraw ? "draw" : "filter") + (kept ? "" : " of what is not kept");
      const std::string wrong =
          job == kDraw ? cases::compare_samples(data) : cases::compare_filter(data);
      return name + " has other bits than the CPU " + wrong;
    }
  }
  return "";
}

TEST(SamplingOnTheHost, CasesHaveTheBitsOfTheCpu) {
  int num_run = 0;
  for (SamplingCase c : cases::sampling_cases()) {
    c.n = std::min(c.n, 2);  // fibers are slow
    EXPECT_EQ(check(c, cases::hash_of(c.name), num_run), "") << c.name;
  }
  EXPECT_GT(num_run, 80);
}

TEST(SamplingOnTheHost, RandomCasesHaveTheBitsOfTheCpu) {
  cases::Random random(11);
  int num_run = 0;
  for (int i = 0; i < 30; ++i) {
    const SamplingCase c = cases::random_sampling_case(random, 1500);
    ASSERT_EQ(check(c, static_cast<uint64_t>(i), num_run), "")
        << "case " << i << " vocab " << c.vocab << " k " << c.top_k << " p " << c.top_p;
  }
  EXPECT_GT(num_run, 20);
}

TEST(SamplingOnTheHost, AnyBitsHaveTheBitsOfTheCpu) {
  cases::Random random(13);
  int num_run = 0;
  for (int i = 0; i < 25; ++i) {
    const SamplingCase c = cases::random_sampling_case(random, 600);
    ASSERT_EQ(check(c, static_cast<uint64_t>(i), num_run, true), "") << "case " << i;
  }
  EXPECT_GT(num_run, 15);
}

TEST(SamplingOnTheHost, RowsThatCannotBeDrawnFrom) {
  for (const float value : {NAN, -INFINITY, 0.0f}) {
    const SamplingCase c{.name = "nothing", .vocab = 900, .n = 3, .top_p = 0.9, .top_k = 20};
    SamplingData data = cases::make_sampling_data(c, 1);
    float* const row = static_cast<float*>(data.args.input.data) + 900;
    for (int t = 0; t < 900; ++t) row[t] = std::isnan(value) ? row[t] : value;
    if (std::isnan(value)) row[777] = value;
    poison(data);
    const Sampling op(data.config);
    op.run(data.args), op.filter(data.filter);
    const std::vector<char> wanted = results_of(data);
    poison(data);
    ASSERT_TRUE(Instantiated::run(data.config, kDraw, true, bind_sampling(data.config, data.args)));
    ASSERT_TRUE(
        Instantiated::run(data.config, kFilter, true, bind_filter(data.config, data.filter)));
    EXPECT_EQ(results_of(data), wanted) << value;
  }
}

}  // namespace
}  // namespace weft::test
