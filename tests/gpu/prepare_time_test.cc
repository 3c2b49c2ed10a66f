// SPDX-License-Identifier: Apache-2.0
// What a config costs before its first launch: with nothing compiled yet, and with its kernels in
// the disk cache. One JSON line each.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <filesystem>

#include "tests/gpu/attention_gpu.h"

namespace weft::test {
namespace {

AttentionConfig decode_config() {
  AttentionConfig c;
  c.num_qo_heads = 32;
  c.num_kv_heads = 8;
  c.head_dim_qk = 128;
  c.page_size = 16;
  c.max_batch_size = c.max_nnz_qo = 64;
  return c;
}

// Microseconds until a plan exists, of a backend that has loaded nothing.
double prepare_us(const std::string& cache_dir) {
  const CudaBackend backend(0, JitOptions{.cache_dir = cache_dir});
  const auto start = std::chrono::steady_clock::now();
  const Attention attention(decode_config(), backend);
  const AttentionPlan plan = attention.create_plan();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  EXPECT_GT(plan.num_workers(), 0);
  return 1e6 * seconds.count();
}

void report(const char* id, double us) {
  std::printf("{\"id\": \"%s\", \"us\": %.0f}\n", id, us);
  EXPECT_LT(us, 60e6) << id;
}

TEST(Prepare, TimeWithAndWithoutACache) {
  if (gpu_backend() == nullptr) GTEST_SKIP() << "no GPU: " << no_gpu_reason();
  const std::filesystem::path cache =
      std::filesystem::path(testing::TempDir()) / "weft_prepare_time";
  std::filesystem::remove_all(cache);
  report("jit_cold/decode", prepare_us(""));
  prepare_us(cache.string());
  report("jit_warm", prepare_us(cache.string()));
  std::filesystem::remove_all(cache);
}

}  // namespace
}  // namespace weft::test
