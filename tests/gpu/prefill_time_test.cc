// SPDX-License-Identifier: Apache-2.0
// How fast the wgmma attention kernel is on the shapes of its targets: one JSON line each. Launches
// follow each other in a captured graph; the tensors of one call exceed the L2.
#include <gtest/gtest.h>

#include <cstdio>
#include <numeric>
#include <random>

#include "tests/gpu/wgmma_runner.h"

namespace weft::test {
namespace {

using cases::AttentionData;
using cases::Buffer;

struct Shape {
  const char* name;
  int head_dim;
  int qo_heads;
  int kv_heads;
  int page_size;  // 0 = ragged
  bool causal;
  int requests;
  int qo_len;
  int kv_len;
};

// Uniform in +-1.7, of unit variance: what matters to the clock is that it is not zeros.
TensorView random_tensor(AttentionData& data, const std::vector<int64_t>& shape) {
  const int64_t count =
      std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  Buffer buffer(static_cast<size_t>(count) * 2);
  auto* const bits = reinterpret_cast<uint16_t*>(buffer.data());
  uint64_t state = 0x9e3779b97f4a7c15u + data.inputs.size();
  for (int64_t i = 0; i < count; ++i) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    const float x = static_cast<float>(static_cast<int32_t>(state >> 32)) * 0x1.bb67aep-31f;
    bits[i] = static_cast<uint16_t>(std::bit_cast<uint32_t>(x) >> 16);
  }
  data.inputs.push_back(buffer);
  return cases::make_view(buffer.data(), DType::bf16, shape, cases::padded_strides(shape, 0));
}

AttentionData make_data(const Shape& s) {
  cases::AttentionCase c;
  c.qo_heads = s.qo_heads;
  c.kv_heads = s.kv_heads;
  c.head_dim = s.head_dim;
  c.page_size = s.page_size;
  c.mask = s.causal ? MaskMode::causal : MaskMode::none;
  c.requests.assign(static_cast<size_t>(s.requests), {s.qo_len, s.kv_len});
  AttentionData data;
  data.config = checked_config(cases::config_of(c));
  const int pages_each = s.page_size > 0 ? ceil_div(s.kv_len, s.page_size) : 0;
  std::vector<int32_t> pages(static_cast<size_t>(pages_each * s.requests));
  std::iota(pages.begin(), pages.end(), 0);
  std::shuffle(pages.begin(), pages.end(), std::mt19937(3));
  data.batch = cases::make_batch(c, pages, data.inputs);
  const int64_t nnz_qo = int64_t{s.requests} * s.qo_len;
  data.args.q = random_tensor(data, {nnz_qo, s.qo_heads, s.head_dim});
  const std::vector<int64_t> cache =
      s.page_size > 0
          ? std::vector<int64_t>{static_cast<int64_t>(pages.size()), s.page_size, s.kv_heads,
                                 s.head_dim}
          : std::vector<int64_t>{int64_t{s.requests} * s.kv_len, s.kv_heads, s.head_dim};
  data.args.k = random_tensor(data, cache);
  data.args.v = random_tensor(data, cache);
  const std::vector<int64_t> out{nnz_qo, s.qo_heads, s.head_dim};
  data.o = Buffer(static_cast<size_t>(nnz_qo * s.qo_heads * s.head_dim) * 2);
  data.args.o = cases::make_view(data.o.data(), DType::bf16, out, cases::padded_strides(out, 0));
  return data;
}

double flops(const Shape& s) {
  double keys = static_cast<double>(s.qo_len) * s.kv_len;
  if (s.causal) keys -= 0.5 * s.qo_len * (s.qo_len - 1.0);
  return 4.0 * s.qo_heads * s.head_dim * s.requests * keys;
}

void time_one(const Shape& s, AttentionData& data) {
  const CudaDevice& device = gpu_backend()->state().device;
  const AttentionWgmmaSpec spec = wgmma_spec(data.config);
  const ScheduleSpec schedule = wgmma_schedule(data.config, spec, device.target().num_sms);
  WgmmaRunner runner(*gpu_backend(), data, spec, schedule);
  runner.plan(0);
  const Stream stream(device);
  const int launches = flops(s) < 2e12 ? 6 : 3;
  const CapturedGraph graph(device, stream.get(), [&] {
    for (int i = 0; i < launches; ++i) runner.run(stream.get());
  });
  const double us = graph.time_us(9) / launches;
  std::printf("{\"id\": \"%s\", \"us\": %.1f, \"tflops\": %.1f, \"items\": %d, \"merges\": %d}\n",
              s.name, us, flops(s) / us * 1e-6, runner.summary().num_items,
              runner.summary().num_merges);
  std::fflush(stdout);
  EXPECT_GT(us, 0);
}

TEST(PrefillTime, Targets) {
  if (gpu_backend() == nullptr) GTEST_SKIP() << "no GPU: " << no_gpu_reason();
  const Shape shapes[] = {
      {"ragged_causal_1kx16", 128, 32, 8, 0, true, 16, 1024, 1024},
      {"ragged_causal_4kx4", 128, 32, 8, 0, true, 4, 4096, 4096},
      {"ragged_causal_8kx2", 128, 32, 8, 0, true, 2, 8192, 8192},
      {"ragged_causal_16k", 128, 32, 8, 0, true, 1, 16384, 16384},
      {"ragged_full_8k", 128, 32, 8, 0, false, 2, 8192, 8192},
      {"hd64_causal_8k", 64, 32, 8, 0, true, 2, 8192, 8192},
      {"hd64_full_8k", 64, 32, 8, 0, false, 2, 8192, 8192},
      {"hd256_causal_8k", 256, 16, 8, 0, true, 2, 8192, 8192},
      {"hd256_full_8k", 256, 16, 8, 0, false, 2, 8192, 8192},
      {"paged16_causal_8kx2", 128, 32, 8, 16, true, 2, 8192, 8192},
      {"paged64_causal_8kx2", 128, 32, 8, 64, true, 2, 8192, 8192},
      {"paged16_hd256_causal_8kx2", 256, 16, 8, 16, true, 2, 8192, 8192},
      {"chunk512_8kx8", 128, 32, 8, 16, true, 8, 512, 8192},
      {"chunk2048_30k", 128, 32, 8, 16, true, 1, 2048, 30720},
      {"chunk128_64k", 128, 32, 8, 16, true, 1, 128, 65536},
  };
  for (const Shape& s : shapes) {
    AttentionData data = make_data(s);
    time_one(s, data);
  }
}

}  // namespace
}  // namespace weft::test
