// SPDX-License-Identifier: Apache-2.0
// One captured graph of a plan and the runs of three layers, captured at the largest batch with one
// token each, over a thousand other batches: fewer requests, lengths up to 128k, other page tables,
// and back.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "tests/cases/random.h"
#include "tests/gpu/attention_gpu.h"

namespace weft::test {
namespace {

using cases::AttentionCase;
using cases::AttentionData;
using cases::Random;

constexpr int kRequests = 32;
constexpr int kPage = 16;
constexpr int kLongest = 131072;
constexpr int kMostRows = 71;

// Pages for one request of 128k tokens beside others, and rows for a prompt chunk of 40.
AttentionCase graph_case() {
  AttentionCase c{.name = "graph"};
  c.qo_heads = 8;
  c.kv_heads = 2;
  c.page_size = kPage;
  c.requests.assign(kRequests, {1, kPage});
  c.requests[0] = {kMostRows - kRequests + 1, kLongest};
  return c;
}

// Rewrites the arrays of `data.batch` in place, as an engine does between replays.
class Batches {
 public:
  explicit Batches(AttentionData& data) : data_(data) {
    const int32_t* ids = ints(data.batch.kv_indices);
    pool_.assign(ids, ids + ints(data.batch.kv_indptr)[kRequests]);
  }

  // Every request with one query token and one key.
  void smallest() {
    begin();
    for (int r = 0; r < kRequests; ++r) add(1, 1);
  }

  void random(Random& random, bool with_long) {
    begin();
    const int requests = static_cast<int>(random.integer(0, kRequests));
    const int longest = random.chance(0.5) ? 100 : 1500;
    for (int r = 0; r < requests; ++r) {
      const bool chunk = random.chance(0.05) && rows_ + 40 + (requests - r) <= kMostRows;
      const int qo = chunk ? 40 : random.chance(0.05) ? 0 : 1;
      add(qo, with_long && r == 0 ? kLongest : static_cast<int>(random.integer(0, longest)));
    }
    while (count_ < kRequests) add(0, 0);
    for (int i = 0; i < pages_; ++i) {
      ints(data_.batch.kv_indices)[i] =
          pool_[static_cast<size_t>(random.integer(0, static_cast<int64_t>(pool_.size()) - 1))];
    }
  }

  int rows() const { return rows_; }

 private:
  static int32_t* ints(const TensorView& t) { return static_cast<int32_t*>(t.data); }

  void begin() {
    count_ = rows_ = pages_ = 0;
    std::copy(pool_.begin(), pool_.end(), ints(data_.batch.kv_indices));
  }
  void add(int qo, int kv) {
    const int room = static_cast<int>(data_.batch.kv_indices.shape[0]) - pages_;
    kv = std::min(kv, room * kPage);
    rows_ += qo;
    pages_ += (kv + kPage - 1) / kPage;
    ints(data_.batch.last_page_len)[count_] = kv == 0 ? 0 : (kv - 1) % kPage + 1;
    ++count_;
    ints(data_.batch.qo_indptr)[count_] = rows_;
    ints(data_.batch.kv_indptr)[count_] = pages_;
  }

  AttentionData& data_;
  std::vector<int32_t> pool_;  // pages that hold tokens
  int count_ = 0, rows_ = 0, pages_ = 0;
};

// A few exact rows of the batch as it stands, the last token of the first request among them.
cases::Expected sample_rows(const AttentionData& data, Random& random) {
  oracle::Attention exact(data.config, data.batch, data.args);
  cases::Expected expected;
  for (int i = 0; i < 3; ++i) {
    const int64_t r = i == 0 ? 0 : random.integer(0, kRequests - 1);
    const int64_t n = exact.qo_len(r);
    if (n == 0) continue;
    const int64_t token = i == 0 ? n - 1 : random.integer(0, n - 1);
    const int head = static_cast<int>(random.integer(0, data.config.num_qo_heads - 1));
    expected.rows.push_back({r, token, head, exact.row(r, token, head)});
  }
  return expected;
}

// Whether rows of no request still hold what they held.
bool padding_untouched(const AttentionData& data, int rows) {
  const TensorView& o = data.args.o;
  const char* begin = static_cast<const char*>(o.data) + rows * o.strides[0] * size_of(o.dtype);
  const char* end = data.o.data() + data.o.size();
  return std::all_of(begin, end,
                     [](char c) { return static_cast<unsigned char>(c) == cases::kPoisonByte; });
}

// With limits of a decode step, or of one that mixes prompts with decodes: on Hopper the plan then
// has two lists, whose kernels run at the same time.
class AttentionGraph : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (gpu_backend() == nullptr) GTEST_SKIP() << "no GPU: " << no_gpu_reason();
  }
  void set_limits(AttentionConfig& config) const {
    config.checked = false;  // whose kernel would keep runs from overlapping
    if (GetParam()) config.max_nnz_qo = 32 * config.max_batch_size;
  }
};

INSTANTIATE_TEST_SUITE_P(Limits, AttentionGraph, testing::Bool(), [](const auto& info) {
  return std::string(info.param ? "mixed" : "decode");
});

TEST_P(AttentionGraph, OneCaptureServesAThousandBatches) {
  AttentionData data = cases::make_attention_data(graph_case(), 5);
  set_limits(data.config);
  GpuRunner runner(*gpu_backend(), data);
  const CudaDevice& device = gpu_backend()->state().device;
  Batches batches(data);
  const auto upload = [&] {
    for (const TensorView& view : {data.batch.qo_indptr, data.batch.kv_indptr,
                                   data.batch.kv_indices, data.batch.last_page_len}) {
      runner.mirror().upload(view);
    }
    runner.mirror().poison_outputs();
  };
  batches.smallest();
  upload();
  const Stream stream(device);
  const CapturedGraph graph(device, stream.get(), [&] {
    runner.plan(stream.get());
    for (int layer = 0; layer < 3; ++layer) runner.run(stream.get());
  });
  Random random(7);
  double worst = 0;
  int rows = 0;
  for (int i = 0; i < 1000; ++i) {
    SCOPED_TRACE("replay " + std::to_string(i));
    if (i % 10 == 9) {
      batches.smallest();
    } else {
      batches.random(random, i % 40 == 3);
    }
    upload();
    graph.replay();
    stream.synchronize();
    runner.finish();
    const cases::Comparison result = cases::compare_rows(data, sample_rows(data, random));
    ASSERT_EQ(result.failure, "");
    ASSERT_TRUE(padding_untouched(data, batches.rows()));
    worst = std::max(worst, result.worst);
    rows += result.rows;
  }
  EXPECT_EQ(runner.plan_object().status(), "");
  EXPECT_EQ(runner.mirror().find_stray_write(), "");
  std::printf("1000 replays, %d rows against the oracle, worst %.2f of the tolerance\n", rows,
              worst);
}

// What a serving engine pays on the host for each step and each layer.
TEST_P(AttentionGraph, HostCostOfPlanAndRun) {
  AttentionCase c{.name = "host_cost"};
  c.requests.assign(1024, {1, 1});
  AttentionData data = cases::make_attention_data(c, 1);
  set_limits(data.config);
  GpuRunner runner(*gpu_backend(), data);
  const Stream stream(gpu_backend()->state().device);
  const auto time = [&](auto&& call) {
    constexpr int kCalls = 100;  // fewer than a stream holds
    double best = 1e9;
    for (int round = 0; round < 20; ++round) {
      stream.synchronize();
      const auto start = std::chrono::steady_clock::now();
      for (int i = 0; i < kCalls; ++i) call();
      const std::chrono::duration<double> all = std::chrono::steady_clock::now() - start;
      best = std::min(best, 1e6 * all.count() / kCalls);
    }
    stream.synchronize();
    return best;
  };
  const double plan = time([&] { runner.plan(stream.get()); });
  const double run = time([&] { runner.run(stream.get()); });
  const char* const mixed = GetParam() ? "_mixed" : "";
  std::printf("{\"id\": \"plan_launch%s\", \"us\": %.2f}\n", mixed, plan);
  std::printf("{\"id\": \"run_host/cpp%s\", \"us\": %.2f}\n", mixed, run);
  EXPECT_LT(plan, 100);
  EXPECT_LT(run, 100);
}

}  // namespace
}  // namespace weft::test
