// SPDX-License-Identifier: Apache-2.0
// The logprobs kernel on the host, clusters and all, over sampling's case table: the very bits that
// the CPU gives, which tests/cpu compares with float64.
#include "tests/simt/simt.h"
// Kernels know no include of their own for what their compiler has built in.
#include <gtest/gtest.h>

#include <exception>

#include "kernels/logprobs/logprobs.cuh"
#include "src/ops/logprobs/rooms.h"
#include "tests/cases/logprobs_case.h"

namespace weft::test {
namespace {

using cases::LogprobsData;
using cases::SamplingCase;

constexpr LogprobsRowSpec spec_of(DType dtype, int vec, int cluster, int threads, int slice) {
  return {.dtype = dtype, .vec = vec, .slices = {cluster, threads, 1, slice}};
}

template <LogprobsRowSpec spec>
bool run_if(const LogprobsConfig& config, bool wide, const LogprobsParams& p) {
  if (config.dtype != spec.dtype || (spec.vec > 1 && !wide)) return false;
  if (config.vocab_size > spec.slices.cluster * spec.slices.slice) return false;
  const int ctas = static_cast<int>(p.row.n) * spec.slices.cluster;
  for (int cta = 0; cta < ctas; cta += spec.slices.cluster) {
    simt::run_cluster(cta, ctas, spec.slices.cluster, spec.slices.num_threads,
                      LogprobsSmem::of(spec).bytes, [&] { logprobs_rows<spec>(p); });
  }
  return true;
}

template <LogprobsRowSpec... specs>
bool run_any(const LogprobsConfig& config, bool wide, const LogprobsParams& p) {
  return (run_if<specs>(config, wide, p) || ...);
}

// Empty when the kernel gives the bits of the CPU, or is not instantiated.
std::string check(const SamplingCase& c, int num, uint64_t seed, int& num_run) {
  using enum DType;
  LogprobsData data = cases::make_logprobs_data(c, num, seed);
  data.poison();
  Logprobs(data.config).run(data.args);
  const std::vector<char> wanted = data.bits();
  data.poison();
  try {
    const bool wide = c.pad == 0 && c.vocab % 4 == 0;
    const LogprobsParams p = bind_logprobs(data.config, data.args);
    num_run += run_any<spec_of(f32, 4, 2, 64, 512), spec_of(f32, 1, 2, 64, 512),
                       spec_of(f32, 1, 1, 64, 4096), spec_of(f32, 4, 8, 256, 3072),
                       spec_of(bf16, 4, 1, 64, 1024), spec_of(bf16, 1, 2, 64, 2048),
                       spec_of(f16, 1, 2, 64, 1024)>(data.config, wide, p);
  } catch (const std::exception& error) {
    return error.what();
  }
  if (data.bits() == wanted || num_run == 0) return "";
  return "other bits than the CPU " + cases::compare_logprobs(data);
}

TEST(LogprobsOnTheHost, CasesHaveTheBitsOfTheCpu) {
  int num_run = 0, num_cases = 0;
  for (SamplingCase c : cases::sampling_cases()) {
    if (c.input == SamplingInput::probs || c.vocab > 6000) continue;
    c.n = 1;  // fibers are slow
    EXPECT_EQ(check(c, 20, cases::hash_of(c.name), num_run), "") << c.name;
    EXPECT_EQ(num_run, ++num_cases) << c.name;
  }
}

// More than a list holds above the floor of a CTA: each then is looked for in the row.
TEST(LogprobsOnTheHost, RowsWhoseLargestValuesLieTogether) {
  int num_run = 0;
  for (const bool sorted : {false, true}) {
    const SamplingCase c{
        .name = "together",
        .vocab = 2052,
        .n = 1,
        .spread = sorted ? cases::LogitSpread::sorted : cases::LogitSpread::all_equal};
    EXPECT_EQ(check(c, 33, 1, num_run), "");
  }
  EXPECT_EQ(num_run, 2);
}

TEST(LogprobsOnTheHost, RandomCasesHaveTheBitsOfTheCpu) {
  cases::Random random(29);
  int num_run = 0;
  for (int i = 0; i < 12; ++i) {
    SamplingCase c = cases::random_sampling_case(random, 900);
    c.input = SamplingInput::logits;
    const int num = static_cast<int>(random.integer(1, 128));
    ASSERT_EQ(check(c, num, static_cast<uint64_t>(i), num_run), "")
        << "case " << i << " vocab " << c.vocab << " num " << num;
  }
  EXPECT_GT(num_run, 6);
}

}  // namespace
}  // namespace weft::test
