// SPDX-License-Identifier: Apache-2.0
// Batches whose plan has two lists, with kernels that run at the same time: large enough to fill a
// GPU, on two streams at once, and layer by layer with tensors that only one of the kernels can
// read.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/cases/random.h"
#include "tests/gpu/attention_gpu.h"

namespace weft::test {
namespace {

using cases::AttentionCase;
using cases::AttentionData;

AttentionCase mixed_case(int page_size, int prompts, int decodes) {
  AttentionCase c{.name = "mixed"};
  c.qo_heads = 8;
  c.kv_heads = 2;
  c.head_dim = 128;
  c.page_size = page_size;
  for (int i = 0; i < prompts; ++i) c.requests.push_back({500 + 37 * i, 2500 + 311 * i});
  for (int i = 0; i < decodes; ++i) {
    c.requests.insert(c.requests.begin() + i / 2, {1 + i % 3, 700 + 53 * i});
  }
  return c;
}

AttentionData mixed_data(const AttentionCase& c, uint64_t seed) {
  AttentionData data = cases::make_attention_data(c, seed);
  data.config.checked = false;      // whose kernel would keep runs from overlapping
  data.config.max_batch_size = 70;  // the same in all tests, which so share their planners
  data.config.max_nnz_qo = 9000;
  return data;
}

std::string compare(const AttentionData& data, uint64_t seed) {
  return cases::compare_rows(data, cases::expect_rows(data, seed)).failure;
}

class AttentionMixed : public testing::Test {
 protected:
  void SetUp() override {
    if (gpu_backend() == nullptr) GTEST_SKIP() << "no GPU: " << no_gpu_reason();
    const Target target = gpu_backend()->target();
    if (target.arch != 90) GTEST_SKIP() << "one list on sm_" << target.arch;
  }
};

TEST_F(AttentionMixed, PromptsAndDecodesShareTheGpu) {
  for (const int page_size : {0, 16}) {
    for (const auto& [prompts, decodes] : {std::pair{1, 60}, {6, 3}, {0, 40}, {5, 0}}) {
      SCOPED_TRACE("page " + std::to_string(page_size) + ", " + std::to_string(prompts) +
                   " prompts, " + std::to_string(decodes) + " decodes");
      AttentionData data = mixed_data(mixed_case(page_size, prompts, decodes), 3);
      GpuRunner runner(*gpu_backend(), data);
      ASSERT_NE(runner.attention().explain().find("cuda_wgmma"), std::string::npos);
      runner.plan();
      runner.mirror().poison_outputs();
      for (int layer = 0; layer < 8; ++layer) runner.run();
      runner.finish();
      ASSERT_EQ(runner.plan_object().status(), "");
      ASSERT_EQ(compare_with_host_plan(runner.plan_object(), data), "");
      ASSERT_EQ(compare(data, 3), "");
    }
  }
}

TEST_F(AttentionMixed, TwoStreamsDoNotMeet) {
  AttentionData first = mixed_data(mixed_case(16, 3, 30), 1);
  AttentionData second = mixed_data(mixed_case(0, 2, 50), 2);
  GpuRunner a(*gpu_backend(), first), b(*gpu_backend(), second);
  const CudaDevice& device = gpu_backend()->state().device;
  const Stream stream_a(device), stream_b(device);
  a.mirror().poison_outputs();
  b.mirror().poison_outputs();
  for (int i = 0; i < 100; ++i) {
    if (i % 5 == 0) a.plan(stream_a.get());
    a.run(stream_a.get());
    if (i % 3 == 0) b.plan(stream_b.get());
    b.run(stream_b.get());
  }
  a.finish();
  b.finish();
  EXPECT_EQ(compare(first, 1), "");
  EXPECT_EQ(compare(second, 2), "");
}

// A layer whose queries lie off 16 bytes is computed by the general kernel, from a plan of its own;
// layers around it, in the same graph, by both kernels from the plan of the step.
TEST_F(AttentionMixed, LayersTheCopyEngineCannotReadMixWithOthers) {
  AttentionData data = mixed_data(mixed_case(16, 3, 20), 4);
  GpuRunner runner(*gpu_backend(), data);
  const CudaDevice& device = gpu_backend()->state().device;
  const AttentionArgs& aligned = runner.mirror().args();
  const size_t bytes = static_cast<size_t>(aligned.q.shape[0] * aligned.q.strides[0]) * 2;
  const DeviceMemory shifted(device, bytes + 16);
  {
    const ContextScope current(device);
    device.driver().check(
        device.driver().copy_to_device(shifted.address() + 2, data.args.q.data, bytes, nullptr),
        "copy");
  }
  AttentionArgs off = aligned;
  off.q.data = static_cast<char*>(shifted.data()) + 2;
  const Stream stream(device);
  const auto run = [&](const AttentionArgs& args) {
    runner.attention().run(runner.plan_object(), args, {stream.get(), nullptr});
  };
  for (const bool ends_off : {true, false}) {
    const CapturedGraph graph(device, stream.get(), [&] {
      runner.plan(stream.get());
      run(off);
      run(aligned);
      run(off);
      if (!ends_off) run(aligned);
    });
    for (int i = 0; i < 3; ++i) {
      runner.mirror().poison_outputs();
      graph.replay();
      stream.synchronize();
      runner.finish();
      ASSERT_EQ(compare(data, 4), "") << "replay " << i;
    }
  }
}

// Bits of o of one request, which is alone or between others.
std::vector<char> bits_of(const AttentionCase& c, size_t request, uint64_t seed) {
  AttentionData data = mixed_data(c, seed);
  data.config.schedule = ScheduleMode::batch_invariant;
  GpuRunner runner(*gpu_backend(), data);
  EXPECT_NE(runner.attention().explain().find("cuda_wgmma"), std::string::npos);
  runner.plan();
  runner.mirror().poison_outputs();
  runner.run();
  runner.finish();
  EXPECT_EQ(compare(data, seed), "");
  const auto* qo = static_cast<const int32_t*>(data.batch.qo_indptr.data);
  const TensorView& o = data.args.o;
  const char* base = static_cast<const char*>(o.data);
  const int64_t row = o.strides[0] * size_of(o.dtype);
  return {base + qo[request] * row, base + qo[request + 1] * row};
}

TEST_F(AttentionMixed, BatchInvariantBitsAreThoseOfTheRequestAlone) {
  constexpr int kId = 1000;  // contents follow it
  for (const cases::Lengths& lengths :
       {cases::Lengths{700, 3000, kId}, {1, 5000, kId}, {40, 40, kId}}) {
    AttentionCase alone = mixed_case(16, 0, 0);
    alone.requests = {lengths};
    AttentionCase among = mixed_case(16, 3, 30);
    among.requests.insert(among.requests.begin() + 10, lengths);
    EXPECT_EQ(bits_of(alone, 0, 5), bits_of(among, 10, 5)) << lengths.qo << " on " << lengths.kv;
  }
}

// Queries follow their distance from the request's end, so the last 200 tokens of a prompt and a
// chunk of 200 ask the same.
TEST_F(AttentionMixed, BatchInvariantBitsDoNotDependOnChunks) {
  constexpr int kId = 1000;
  AttentionCase whole = mixed_case(16, 2, 20);
  whole.requests.push_back({700, 3000, kId});
  AttentionCase chunk = mixed_case(16, 0, 5);
  chunk.requests.push_back({200, 3000, kId});
  const std::vector<char> all = bits_of(whole, whole.requests.size() - 1, 6);
  const std::vector<char> last = bits_of(chunk, chunk.requests.size() - 1, 6);
  ASSERT_GT(last.size(), 0u);
  EXPECT_TRUE(std::equal(last.begin(), last.end(), all.end() - static_cast<long>(last.size())));
}

}  // namespace
}  // namespace weft::test
