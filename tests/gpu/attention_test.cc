// SPDX-License-Identifier: Apache-2.0
// Attention on a GPU over every table the CPU is tested with, through the public API: the oracle,
// nothing else written, the same bits on dirty workspaces, the host's plan. What the CUDA backend
// has no kernel for is listed, refused by name, and counted.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/cases/random.h"
#include "tests/cases/random_case.h"
#include "tests/gpu/attention_gpu.h"

namespace weft::test {
namespace {

using cases::AttentionCase;

int num_run = 0;
int num_unsupported = 0;

class AttentionOnGpu : public testing::TestWithParam<AttentionCase> {
 protected:
  void SetUp() override {
    if (gpu_backend() == nullptr) GTEST_SKIP() << "no GPU: " << no_gpu_reason();
  }
};

// Refused by name where it is listed as unsupported, and only there.
bool is_refused(const AttentionCase& c) {
  const std::string reason = unsupported_on_cuda(c);
  try {
    const Attention attention(cases::config_of(c), *gpu_backend());
    EXPECT_EQ(reason, "") << "listed as unsupported, and accepted";
    return false;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported) throw;
    EXPECT_NE(reason, "") << error.what();
    ++num_unsupported;
    return true;
  }
}

TEST_P(AttentionOnGpu, MatchesOracleAndHostPlan) {
  const AttentionCase& c = GetParam();
  if (is_refused(c)) return;
  const uint64_t seed = cases::hash_of(c.name) + static_cast<uint64_t>(GTEST_FLAG_GET(random_seed));
  double worst = 0;
  EXPECT_EQ(check_case_on_gpu(c, seed, &worst), "") << cases::describe(c);
  RecordProperty("worst_error_over_tolerance", std::to_string(worst));
  ++num_run;
}

std::string case_name(const testing::TestParamInfo<AttentionCase>& info) { return info.param.name; }

#define WEFT_GPU_TABLE(name, table) \
  INSTANTIATE_TEST_SUITE_P(name, AttentionOnGpu, testing::ValuesIn(cases::table()), case_name)
WEFT_GPU_TABLE(Pages, page_cases);
WEFT_GPU_TABLE(Lengths, length_cases);
WEFT_GPU_TABLE(Heads, head_cases);
WEFT_GPU_TABLE(Masks, mask_cases);
WEFT_GPU_TABLE(Values, value_cases);
WEFT_GPU_TABLE(Rope, rope_cases);
WEFT_GPU_TABLE(Dtypes, dtype_cases);
WEFT_GPU_TABLE(Ragged, ragged_cases);
WEFT_GPU_TABLE(Schedules, schedule_cases);
WEFT_GPU_TABLE(Long, long_cases);

// Printed once, after the last suite.
class Count : public testing::Environment {
 public:
  void TearDown() override {
    if (gpu_backend() == nullptr) return;
    std::printf("%d cases run, %d unsupported on CUDA and refused\n", num_run, num_unsupported);
  }
};

[[maybe_unused]] const testing::Environment* const kCount =
    testing::AddGlobalTestEnvironment(new Count);

// In twelve parts, which may run side by side.
class AttentionOnGpuRandom : public testing::TestWithParam<int> {};

TEST_P(AttentionOnGpuRandom, AnyCombinationOfFieldsMatchesTheOracle) {
  if (gpu_backend() == nullptr) GTEST_SKIP() << "no GPU: " << no_gpu_reason();
  constexpr int kCases = 3, kMostDrawn = 60;  // about a third of what is drawn is refused
  cases::Random random(11 + static_cast<uint64_t>(GTEST_FLAG_GET(random_seed)) +
                       1000 * static_cast<uint64_t>(GetParam()));
  int run = 0;
  for (int drawn = 0; run < kCases && drawn < kMostDrawn; ++drawn) {
    const AttentionCase c = cases::random_case(random, 3e6);
    SCOPED_TRACE(cases::describe(c));
    if (is_refused(c)) continue;
    double worst = 0;
    ASSERT_EQ(check_case_on_gpu(c, random.next(), &worst), "");
    ++num_run, ++run;
  }
  EXPECT_EQ(run, kCases);
}

INSTANTIATE_TEST_SUITE_P(Parts, AttentionOnGpuRandom, testing::Range(0, 12));

}  // namespace
}  // namespace weft::test
