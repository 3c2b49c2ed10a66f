// SPDX-License-Identifier: Apache-2.0
// The planner kernel on a GPU against the host's walk: random schedules and batches, bit for bit;
// one captured graph over changing batches; what it says of wrong ones; how long it takes.
#include "src/cuda/planner.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "src/ops/attention/select.h"
#include "src/ops/attention/select_cuda.h"
#include "src/plan/partition.h"
#include "tests/cases/length_batches.h"
#include "tests/gpu/gpu.h"

namespace weft::test {
namespace {

// The buffers of one plan on the device, and the planner for its schedule.
class DevicePlan {
 public:
  DevicePlan(CudaDevice& device, KernelStore& store, const PlanSpec& spec)
      : spec_(spec),
        capacity_(plan_capacity(spec.schedule, spec.max_batch_size, spec.max_nnz_qo)),
        device_(device),
        kernel_(device.load(store.get(spec, device.target().arch))),
        stream_(device),
        qo_indptr_(device, static_cast<size_t>(spec.max_batch_size) + 1),
        kv_indptr_(device, static_cast<size_t>(spec.max_batch_size) + 1),
        last_page_len_(device, static_cast<size_t>(spec.max_batch_size)),
        num_requests_(device, 1),
        work_indptr_(device, static_cast<size_t>(spec.schedule.num_groups) + 1),
        items_(device, static_cast<size_t>(capacity_.items)),
        merges_(device, static_cast<size_t>(capacity_.merges)),
        arrivals_(device, static_cast<size_t>(capacity_.merges * spec.schedule.head_lanes)),
        result_(device, 1) {}

  // Lengths are given padded to max_batch_size, so that a graph may read its size on the device.
  void write(const LengthBatch& batch) {
    qo_indptr_.write(batch.qo_indptr, stream());
    kv_indptr_.write(batch.kv_indptr, stream());
    last_page_len_.write(batch.last_page_len, stream());
    num_requests_.write({batch.batch_size()}, stream());
    page_size_ = batch.page_size;
  }

  void launch(int32_t batch_size, bool size_on_device) {
    PlanParams p{};
    p.lengths = {qo_indptr_.data(), kv_indptr_.data(), last_page_len_.data(), page_size_};
    p.num_requests = size_on_device ? num_requests_.data() : nullptr;
    p.work_indptr = work_indptr_.data();
    p.items = items_.data();
    p.merges = merges_.data();
    p.merge_arrivals = arrivals_.data();
    p.result = result_.data();
    p.batch_size = batch_size;
    launch_planner(device_, kernel_, stream(), p);
  }

  void expect_same_as_host(const LengthBatch& batch) const {
    std::vector<int32_t> indptr(work_indptr_.size());
    std::vector<WorkItem> items(items_.size());
    std::vector<MergeItem> merges(merges_.size());
    const PlanSummary host = partition(spec_.schedule, batch.view(), batch.batch_size(),
                                       indptr.data(), items.data(), merges.data(), spec_.beside);
    const PlanResult got = result();
    ASSERT_EQ(got.error, PlanError::none) << explain_plan_error(got);
    ASSERT_EQ(got.num_items, host.num_items);
    ASSERT_EQ(got.num_merges, host.num_merges);
    ASSERT_EQ(got.partial_rows, host.partial_rows);
    ASSERT_EQ(got.active_groups, host.active_groups);
    ASSERT_EQ(got.total_cost, host.total_cost);
    ASSERT_EQ(work_indptr_.read(indptr.size(), stream()), indptr);
    items.resize(static_cast<size_t>(host.num_items));
    merges.resize(static_cast<size_t>(host.num_merges));
    ASSERT_EQ(items_.read(items.size(), stream()), items);
    ASSERT_EQ(merges_.read(merges.size(), stream()), merges);
    const size_t counters = merges.size() * static_cast<size_t>(spec_.schedule.head_lanes);
    ASSERT_EQ(arrivals_.read(counters, stream()), std::vector<int32_t>(counters, 0));
  }

  PlanResult result() const { return result_.read(1, stream())[0]; }
  std::vector<int32_t> work_indptr() const {
    return work_indptr_.read(work_indptr_.size(), stream());
  }
  cu::Stream stream() const { return stream_.get(); }

 private:
  PlanSpec spec_;
  PlanCapacity capacity_;
  CudaDevice& device_;
  const CudaKernel& kernel_;
  Stream stream_;
  DeviceArray<int32_t> qo_indptr_, kv_indptr_, last_page_len_, num_requests_, work_indptr_;
  DeviceArray<WorkItem> items_;
  DeviceArray<MergeItem> merges_;
  DeviceArray<int32_t> arrivals_;
  DeviceArray<PlanResult> result_;
  int32_t page_size_ = 0;
};

class PlannerOnGpu : public GpuTest {
 protected:
  void time_one(const char* name, const LengthBatch& batch, const PlanSpec& spec);
};

TEST_F(PlannerOnGpu, MatchesTheHostBitForBit) {
  for (uint32_t seed = 0; seed < 24; ++seed) {
    LengthRandom random(seed);
    const PlanSpec spec = random.plan_spec(300, 300 * 700);
    DevicePlan plan(device(), store(), spec);
    for (int i = 0; i < 100; ++i) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", batch " + std::to_string(i));
      const LengthBatch batch = random.batch(300);
      plan.write(batch);
      plan.launch(batch.batch_size(), i % 2 == 0);
      ASSERT_NO_FATAL_FAILURE(plan.expect_same_as_host(batch));
    }
  }
}

TEST_F(PlannerOnGpu, OneGraphServesEveryBatch) {
  LengthRandom random(1);
  PlanSpec spec = random.plan_spec(256, 256 * 700);
  spec.num_threads = 1024;
  DevicePlan plan(device(), store(), spec);
  LengthBatch first;
  first.page_size = 16;
  for (int r = 0; r < 256; ++r) first.add(1, 1);
  plan.write(first);
  const CapturedGraph graph(device(), plan.stream(), [&] { plan.launch(256, true); });
  for (int i = 0; i < 1000; ++i) {
    SCOPED_TRACE("replay " + std::to_string(i));
    LengthBatch batch;
    batch.page_size = 16;
    const int32_t size = random.in(0, 256);
    const int32_t longest = random.of({1, 1000, 131072});
    for (int32_t r = 0; r < size; ++r) {
      batch.add(random.chance(10) ? random.in(0, 700) : 1, random.in(0, longest));
    }
    plan.write(batch);
    graph.replay();
    ASSERT_NO_FATAL_FAILURE(plan.expect_same_as_host(batch));
  }
}

TEST_F(PlannerOnGpu, AWrongBatchGetsAnEmptyPlanAndTheReason) {
  LengthRandom random(2);
  const PlanSpec spec = random.plan_spec(64, 1000);
  DevicePlan plan(device(), store(), spec);
  struct Row {
    const char* name;
    LengthBatch batch;
    PlanError error;
    int32_t request;
  };
  const Row rows[] = {
      {"rows decrease", {{0, 2, 1, 3}, {0, 1, 2, 3}, {1, 1, 1}, 16}, PlanError::qo_indptr, 1},
      {"pages decrease", {{0, 1, 2, 3}, {0, 3, 1, 2}, {1, 1, 1}, 16}, PlanError::kv_indptr, 1},
      {"no token", {{0, 1, 2}, {0, 1, 2}, {1, 0}, 16}, PlanError::last_page_len, 1},
      {"many tokens", {{0, 600, 1200}, {0, 1, 2}, {1, 1}, 16}, PlanError::too_many_tokens, 0},
  };
  for (const Row& row : rows) {
    plan.write(row.batch);
    plan.launch(row.batch.batch_size(), false);
    const PlanResult result = plan.result();
    EXPECT_EQ(result.error, row.error) << row.name << ": " << explain_plan_error(result);
    EXPECT_EQ(result.request, row.request) << row.name;
    for (int32_t begin : plan.work_indptr()) EXPECT_EQ(begin, 0) << row.name;
  }
  plan.launch(65, false);
  EXPECT_EQ(plan.result().error, PlanError::too_many_requests);
}

PlanSpec llama_8b(int32_t max_batch_size, const Target& target) {
  ScheduleSpec s;
  s.group_size = 4;
  s.qo_tile = 16;
  s.kv_tile = 64;
  s.num_groups = 2 * target.num_sms;
  s.heads_per_lane = 8;
  s.causal = true;
  s.min_blocks = 4;
  s.cost = {400, 900, 20};
  PlanSpec spec = select_planner(s, max_batch_size, std::max(8192, max_batch_size), target);
  return spec;
}

// As a decode step of the same model is planned.
PlanSpec decode_spec(int32_t max_batch_size, const Target& target) {
  AttentionConfig c;
  c.num_qo_heads = 32;
  c.num_kv_heads = 8;
  c.head_dim_qk = 128;
  c.page_size = 16;
  c.max_batch_size = c.max_nnz_qo = max_batch_size;
  const AttentionSpec spec = select_attention_cuda(checked_config(c), target);
  return select_planner(spec.schedule, max_batch_size, max_batch_size, target);
}

LengthBatch decode_batch(int32_t size) {
  LengthRandom random(3);
  LengthBatch batch;
  batch.page_size = 16;
  for (int32_t r = 0; r < size; ++r) batch.add(1, random.in(1, 8192));
  return batch;
}

LengthBatch mixed_batch() {
  LengthBatch batch = decode_batch(63);
  batch.add(2048, 8192);
  return batch;
}

// One plan after another in a graph, so that each waits for the one before: device time plus what a
// launch adds.
void PlannerOnGpu::time_one(const char* name, const LengthBatch& batch, const PlanSpec& spec) {
  constexpr int kLaunches = 20;
  const int32_t size = batch.batch_size();
  DevicePlan plan(device(), store(), spec);
  plan.write(batch);
  plan.launch(size, false);
  ASSERT_NO_FATAL_FAILURE(plan.expect_same_as_host(batch));
  const CapturedGraph graph(device(), plan.stream(), [&] {
    for (int i = 0; i < kLaunches; ++i) plan.launch(size, false);
  });
  const double us = graph.time_us(51) / kLaunches;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 200; ++i) plan.launch(size, false);
  const std::chrono::duration<double> host = std::chrono::steady_clock::now() - start;
  std::printf(
      "{\"id\": \"%s\", \"batch_size\": %d, \"threads\": %d, \"us\": %.2f, "
      "\"host_launch_us\": %.2f, \"items\": %d, \"device\": \"%s\"}\n",
      name, size, spec.num_threads, us, 1e6 * host.count() / 200, plan.result().num_items,
      device().name().c_str());
  EXPECT_GT(us, 0);
}

TEST_F(PlannerOnGpu, Time) {
  struct Row {
    const char* name;
    LengthBatch batch;
  };
  const Row rows[] = {
      {"plan_device/b1", decode_batch(1)},       {"plan_device/b64", decode_batch(64)},
      {"plan_device/b256", decode_batch(256)},   {"plan_device/b1024", decode_batch(1024)},
      {"plan_device/b4096", decode_batch(4096)}, {"plan_device/mixed_64", mixed_batch()}};
  for (const Row& row : rows) {
    time_one(row.name, row.batch, llama_8b(row.batch.batch_size(), device().target()));
  }
  for (const int32_t size : {1, 64, 256, 1024}) {
    const std::string name = "plan_decode/b" + std::to_string(size);
    time_one(name.c_str(), decode_batch(size), decode_spec(size, device().target()));
  }
}

}  // namespace
}  // namespace weft::test
