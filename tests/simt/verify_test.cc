// SPDX-License-Identifier: Apache-2.0
// The verify kernel on the host, clusters and all, over the case table: the very bits that the CPU
// gives.
#include "tests/simt/simt.h"
// Kernels know no include of their own for what their compiler has built in.
#include <gtest/gtest.h>

#include <exception>

#include "kernels/verify/verify.cuh"
#include "src/ops/verify/rooms.h"
#include "tests/cases/verify_case.h"

namespace weft::test {
namespace {

using cases::VerifyCase;
using cases::VerifyData;

constexpr VerifyRowSpec spec_of(DType dtype, bool tree, int vec, int cluster, int threads,
                                int slice) {
  return {.dtype = dtype, .tree = tree, .vec = vec, .slices = {cluster, threads, 1, slice}};
}

template <VerifyRowSpec spec>
bool run_if(const VerifyConfig& config, bool wide, const VerifyParams& p) {
  if (config.dtype != spec.dtype || config.tree != spec.tree || (spec.vec > 1 && !wide)) {
    return false;
  }
  if (config.vocab_size > spec.slices.cluster * spec.slices.slice) return false;
  const int ctas = static_cast<int>(p.n) * spec.slices.cluster;
  for (int cta = 0; cta < ctas; cta += spec.slices.cluster) {
    simt::run_cluster(cta, ctas, spec.slices.cluster, spec.slices.num_threads,
                      VerifySmem::of(spec).bytes, [&] { verify_rows<spec>(p); });
  }
  return true;
}

template <VerifyRowSpec... specs>
bool run_any(const VerifyConfig& config, bool wide, const VerifyParams& p) {
  return (run_if<specs>(config, wide, p) || ...);
}

bool run(const VerifyConfig& config, bool wide, const VerifyParams& p) {
  using enum DType;
  return run_any<spec_of(f32, false, 2, 2, 64, 256), spec_of(f32, false, 1, 2, 64, 512),
                 spec_of(f32, false, 1, 8, 256, 2048), spec_of(f16, false, 1, 2, 64, 1024),
                 spec_of(bf16, false, 2, 1, 64, 1024), spec_of(bf16, false, 1, 2, 64, 1024),
                 spec_of(f32, true, 4, 2, 64, 256), spec_of(f32, true, 1, 4, 128, 512),
                 spec_of(f16, true, 1, 2, 64, 1024), spec_of(bf16, true, 4, 1, 64, 1024),
                 spec_of(bf16, true, 1, 2, 64, 1024)>(config, wide, p);
}

// Empty when the kernel gives the bits of the CPU.
std::string check(const VerifyCase& c, uint64_t seed, int& num_run) {
  VerifyData data = cases::make_verify_data(c, seed);
  Verify(data.config).run(data.args);
  const std::vector<char> wanted = data.bits();
  const std::string wrong = cases::check_verified(data);
  if (!wrong.empty()) return "the CPU: " + wrong;
  data.poison();
  try {
    const bool wide = c.pad == 0 && c.vocab % 4 == 0;
    if (!run(data.config, wide, bind_verify(data.config, data.args))) return "no such kernel";
  } catch (const std::exception& error) {
    return error.what();
  }
  ++num_run;
  return data.bits() == wanted ? "" : "other bits than the CPU " + cases::check_verified(data);
}

TEST(VerifyOnTheHost, CasesHaveTheBitsOfTheCpu) {
  int num_run = 0;
  for (const VerifyCase& c : cases::verify_cases()) {
    EXPECT_EQ(check(c, cases::hash_of(c.name), num_run), "") << c.name;
  }
  EXPECT_EQ(num_run, static_cast<int>(cases::verify_cases().size()));
}

TEST(VerifyOnTheHost, RandomCasesHaveTheBitsOfTheCpu) {
  cases::Random random(17);
  int num_run = 0;
  for (int i = 0; i < 20; ++i) {
    const VerifyCase c = cases::random_verify_case(random, 900);
    ASSERT_EQ(check(c, static_cast<uint64_t>(i), num_run), "")
        << "case " << i << ": " << to_string(cases::make_verify_data(c, 1).config) << " oddity "
        << static_cast<int>(c.oddity);
  }
}

}  // namespace
}  // namespace weft::test
