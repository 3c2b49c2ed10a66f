// SPDX-License-Identifier: Apache-2.0
// Attention on a GPU under faults: streams, threads, captures, wrong memory, wrong batches, no
// memory.
#include <gtest/gtest.h>

#include <cstdio>
#include <deque>
#include <optional>
#include <thread>

#include "tests/cases/random.h"
#include "tests/gpu/attention_gpu.h"

namespace weft::test {
namespace {

using cases::AttentionCase;
using cases::AttentionData;

class AttentionFaults : public testing::Test {
 protected:
  void SetUp() override {
    if (gpu_backend() == nullptr) GTEST_SKIP() << "no GPU: " << no_gpu_reason();
  }
  static const CudaBackend& backend() { return *gpu_backend(); }
  static CudaDevice& device() { return gpu_backend()->state().device; }
};

AttentionCase small_case(const char* name = "small") {
  AttentionCase c{.name = name};
  c.requests = {{1, 300}, {1, 40}, {5, 700}, {1, 1}};
  return c;
}

std::string compare(const AttentionData& data) {
  return cases::compare_rows(data, cases::expect_rows(data, 3)).failure;
}

template <class Call>
void expect_error(Call&& call, ErrorKind kind, const std::string& part) {
  try {
    call();
    ADD_FAILURE() << "accepted: " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST_F(AttentionFaults, TwoStreamsWithTwoPlansDoNotMeet) {
  AttentionCase other = small_case("other");
  other.requests = {{1, 5000}, {3, 90}, {1, 17}};
  AttentionData first = cases::make_attention_data(small_case(), 1);
  AttentionData second = cases::make_attention_data(other, 2);
  GpuRunner a(backend(), first);
  GpuRunner b(backend(), second);
  const Stream stream_a(device());
  const Stream stream_b(device());
  a.mirror().poison_outputs();
  b.mirror().poison_outputs();
  for (int i = 0; i < 200; ++i) {
    if (i % 5 == 0) a.plan(stream_a.get());
    a.run(stream_a.get());
    if (i % 3 == 0) b.plan(stream_b.get());
    b.run(stream_b.get());
  }
  a.finish();
  b.finish();
  EXPECT_EQ(compare(first), "");
  EXPECT_EQ(compare(second), "");
}

TEST_F(AttentionFaults, ThreadsPreparingOneConfigShareItsKernels) {
  const CudaBackend cold(0, JitOptions{.cache_dir = ""});
  AttentionData data = cases::make_attention_data(small_case(), 1);
  std::deque<std::optional<Attention>> made(4);
  std::vector<std::thread> threads;
  for (auto& slot : made) threads.emplace_back([&] { slot.emplace(data.config, cold); });
  for (std::thread& thread : threads) thread.join();
  const DeviceMirror mirror(device(), data);
  for (const auto& attention : made) {
    AttentionPlan plan = attention->create_plan();
    attention->plan(mirror.batch(), plan);
    attention->run(plan, mirror.args());
    EXPECT_EQ(plan.status(), "");
  }
}

TEST_F(AttentionFaults, PreparingDuringACaptureLeavesItWhole) {
  AttentionData data = cases::make_attention_data(small_case(), 1);
  GpuRunner runner(backend(), data);
  const CudaBackend cold(0, JitOptions{.cache_dir = ""});  // has nothing loaded yet
  const Stream stream(device());
  runner.mirror().poison_outputs();
  const CapturedGraph graph(device(), stream.get(), [&] {
    runner.plan(stream.get());
    const Attention prepared(data.config, cold);
    runner.run(stream.get());
  });
  graph.replay();
  stream.synchronize();
  runner.finish();
  EXPECT_EQ(compare(data), "");
}

TEST_F(AttentionFaults, HostMemoryIsRefusedByName) {
  AttentionData data = cases::make_attention_data(small_case(), 1);
  GpuRunner runner(backend(), data);
  AttentionPlan& plan = runner.plan_object();
  const auto refuses = [&](const char* name, auto&& call) {
    expect_error(call, ErrorKind::invalid_argument,
                 std::string(name) + ": expected a tensor on cuda:0");
  };
  struct Field {
    const char* name;
    TensorView AttentionBatch::*member;
  };
  for (const Field& field : {Field{"qo_indptr", &AttentionBatch::qo_indptr},
                             Field{"kv_indptr", &AttentionBatch::kv_indptr},
                             Field{"kv_indices", &AttentionBatch::kv_indices},
                             Field{"last_page_len", &AttentionBatch::last_page_len}}) {
    AttentionBatch batch = runner.mirror().batch();
    batch.*field.member = data.batch.*field.member;
    refuses(field.name, [&] { runner.attention().plan(batch, plan); });
  }
  runner.plan();
  struct Argument {
    const char* name;
    TensorView AttentionArgs::*member;
  };
  for (const Argument& argument :
       {Argument{"q", &AttentionArgs::q}, Argument{"k", &AttentionArgs::k},
        Argument{"v", &AttentionArgs::v}, Argument{"o", &AttentionArgs::o},
        Argument{"lse", &AttentionArgs::lse}}) {
    AttentionArgs args = runner.mirror().args();
    args.*argument.member = data.args.*argument.member;
    refuses(argument.name, [&] { runner.attention().run(plan, args); });
  }
  std::vector<char> host(runner.attention().workspace_bytes() + 64);
  refuses("workspace", [&] {
    runner.attention().create_plan(
        TensorView(host.data(), DType::u8, {static_cast<int64_t>(host.size())}));
  });
  const ParallelFor pool{};
  expect_error(
      [&] {
        runner.attention().run(plan, runner.mirror().args(), {nullptr, &pool});
      },
      ErrorKind::invalid_argument, "executor.parallel_for");
  const Attention on_cpu(data.config);
  AttentionPlan cpu_plan = on_cpu.create_plan();
  expect_error([&] { on_cpu.plan(runner.mirror().batch(), cpu_plan); }, ErrorKind::invalid_argument,
               "qo_indptr: expected a tensor on cpu");
}

// A batch that is wrong on the device: what is said of it, and that nothing is written.
class WrongBatch {
 public:
  WrongBatch() : data_(cases::make_attention_data(small_case(), 1)) {}

  AttentionData& data() { return data_; }
  std::string status() {
    GpuRunner runner(*gpu_backend(), data_);
    runner.mirror().poison_outputs();
    runner.plan();
    runner.run();
    runner.run();
    runner.finish();
    for (size_t i = 0; i < data_.o.size(); ++i) {
      const auto byte = static_cast<unsigned char>(data_.o.data()[i]);
      if (byte != cases::kPoisonByte) return "o was written";
    }
    return runner.plan_object().status();
  }
  int32_t* ints(const TensorView& view) { return static_cast<int32_t*>(view.data); }

 private:
  AttentionData data_;
};

TEST_F(AttentionFaults, AWrongBatchWritesNothingAndSaysWhy) {
  struct Row {
    const char* part;
    void (*spoil)(WrongBatch& b);
  };
  const Row rows[] = {
      {"kv_indices: expected page ids within k and v, got another at request 2",
       [](WrongBatch& b) {
         const int32_t first = b.ints(b.data().batch.kv_indptr)[2];
         b.ints(b.data().batch.kv_indices)[first + 3] = static_cast<int32_t>(b.data().num_pages);
       }},
      {"kv_indices: expected page ids within k and v, got another at request 0",
       [](WrongBatch& b) { b.ints(b.data().batch.kv_indices)[1] = -1; }},
      {"last_page_len: expected 1..page_size, got another value at request 1",
       [](WrongBatch& b) { b.ints(b.data().batch.last_page_len)[1] = 17; }},
      {"qo_indptr: expected no decrease, got one at request 2",
       [](WrongBatch& b) { b.ints(b.data().batch.qo_indptr)[3] = 1; }},
      {"kv_indptr: expected places within kv_indices",
       [](WrongBatch& b) { b.ints(b.data().batch.kv_indptr)[4] += 100; }},
      {"qo_indptr: expected rows within q, o and lse, got another at request 3",
       [](WrongBatch& b) { b.ints(b.data().batch.qo_indptr)[4] += 2; }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.part);
    WrongBatch batch;
    row.spoil(batch);
    const std::string status = batch.status();
    EXPECT_NE(status.find(row.part), std::string::npos) << status;
  }
}

TEST_F(AttentionFaults, APlanServesAgainAfterAWrongBatch) {
  AttentionData data = cases::make_attention_data(small_case(), 1);
  GpuRunner runner(backend(), data);
  auto* id = static_cast<int32_t*>(data.batch.kv_indices.data);
  const int32_t right = *id;
  *id = -1;
  runner.mirror().upload(data.batch.kv_indices);
  runner.plan();
  runner.run();
  EXPECT_NE(runner.plan_object().status(), "");
  *id = right;
  runner.mirror().upload(data.batch.kv_indices);
  runner.mirror().poison_outputs();
  runner.plan();
  runner.run();
  runner.finish();
  EXPECT_EQ(runner.plan_object().status(), "");
  EXPECT_EQ(compare(data), "");
}

TEST_F(AttentionFaults, NoMemoryForAPlanIsOutOfMemoryAndPasses) {
  AttentionData data = cases::make_attention_data(small_case(), 1);
  const Attention attention(data.config, backend());
  const DeviceMirror mirror(device(), data);
  std::deque<DeviceMemory> hoard;
  for (size_t bytes = size_t{1} << 36; bytes >= (1 << 12); bytes /= 2) {
    try {
      for (;;) hoard.emplace_back(device(), bytes);
    } catch (const Error& error) {
      ASSERT_EQ(error.kind(), ErrorKind::out_of_memory) << error.what();
    }
  }
  std::deque<AttentionPlan> plans;
  expect_error(
      [&] {
        for (int i = 0; i < 1000; ++i) plans.push_back(attention.create_plan());
      },
      ErrorKind::out_of_memory, "cuMemAlloc");
  hoard.clear();
  plans.clear();
  AttentionPlan plan = attention.create_plan();
  attention.plan(mirror.batch(), plan);
  attention.run(plan, mirror.args());
  EXPECT_EQ(plan.status(), "");
}

TEST_F(AttentionFaults, AnotherDeviceBeingCurrentDoesNotMatter) {
  if (CudaBackend::num_devices() < 2) GTEST_SKIP() << "one device";
  const CudaBackend other(1, JitOptions{.cache_dir = ""});
  AttentionData data = cases::make_attention_data(small_case(), 1);
  GpuRunner runner(backend(), data);
  runner.mirror().poison_outputs();
  {
    const ContextScope current(other.state().device);
    runner.plan();
    runner.run();
  }
  runner.finish();
  EXPECT_EQ(compare(data), "");
}

}  // namespace
}  // namespace weft::test
