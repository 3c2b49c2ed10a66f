// SPDX-License-Identifier: Apache-2.0
// The CUDA executor on a GPU: loading, contexts, capture, memory and tensor maps under faults.
#include <string>
#include <thread>

#include "src/cuda/planner.h"
#include "src/cuda/tensor_map.h"
#include "tests/gpu/gpu.h"

namespace weft::test {
namespace {

class Executor : public GpuTest {
 protected:
  static PlanSpec spec() {
    PlanSpec spec;
    spec.schedule.num_groups = 4;
    spec.max_batch_size = spec.max_nnz_qo = 16;
    spec.num_threads = 128;
    return spec;
  }
  const KernelImage& image() { return store().get(spec(), device().target().arch); }
};

// An empty batch: the planner then writes the result and nothing else of note.
class EmptyPlan {
 public:
  explicit EmptyPlan(const CudaDevice& device)
      : indptr_(device, 1), work_indptr_(device, 5), result_(device, 1) {
    indptr_.write({0}, nullptr);
  }
  PlanParams params() const {
    PlanParams p{};
    p.lengths = {indptr_.data(), indptr_.data(), indptr_.data(), 1};
    p.work_indptr = work_indptr_.data();
    p.result = result_.data();
    return p;
  }
  PlanResult result(cu::Stream stream) const { return result_.read(1, stream)[0]; }

 private:
  DeviceArray<int32_t> indptr_, work_indptr_;
  DeviceArray<PlanResult> result_;
};

TEST_F(Executor, TargetSaysWhatTheDeviceIs) {
  const Target& target = device().target();
  EXPECT_EQ(target.device, DeviceType::cuda);
  EXPECT_GE(target.arch, 80);
  EXPECT_GT(target.num_sms, 0);
  EXPECT_GT(target.smem_per_sm, 64 * 1024);
  if (device().name().find("H200") != std::string::npos) {
    Target expected = Target::h200();
    expected.num_workers = target.num_workers;
    EXPECT_EQ(target, expected);
  }
}

TEST_F(Executor, AnImageIsLoadedOnce) {
  const CudaKernel& kernel = device().load(image());
  EXPECT_EQ(&device().load(image()), &kernel);
  EXPECT_GE(kernel.ctas_per_sm, 1);
}

TEST_F(Executor, AnImageOfAnotherArchitectureIsRefusedByName) {
  const KernelImage& other = store().get(spec(), device().target().arch == 80 ? 90 : 80);
  try {
    device().load(other);
    ADD_FAILURE() << "loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::device);
    EXPECT_NE(std::string(error.what()).find("kernel plan for " + other.arch), std::string::npos)
        << error.what();
  }
}

TEST_F(Executor, LoadingDuringACaptureLeavesTheCaptureWhole) {
  const EmptyPlan plan(device());
  const Stream stream(device());
  CudaDevice fresh(0, shared_driver());  // nothing loaded yet
  const KernelImage& ready = image();
  const CapturedGraph graph(fresh, stream.get(), [&] {
    launch_planner(fresh, fresh.load(ready), stream.get(), plan.params());
  });
  graph.replay();
  EXPECT_EQ(plan.result(stream.get()).error, PlanError::none);
  EXPECT_EQ(plan.result(stream.get()).num_items, 0);
}

TEST_F(Executor, AThreadWithoutAContextMayLaunch) {
  const EmptyPlan plan(device());
  const Stream stream(device());
  const CudaKernel& kernel = device().load(image());
  std::thread([&] {
    launch_planner(device(), kernel, stream.get(), plan.params());
    cu::Context current = nullptr;
    driver().check(driver().context_get(&current), "cuCtxGetCurrent");
    EXPECT_EQ(current, nullptr) << "the thread's own state is as it was";
  }).join();
  EXPECT_EQ(plan.result(stream.get()).error, PlanError::none);
}

TEST_F(Executor, ASecondDeviceBeingCurrentDoesNotMatter) {
  if (num_cuda_devices(driver()) < 2) GTEST_SKIP() << "one device";
  const CudaDevice other(1, shared_driver());
  const EmptyPlan plan(device());
  const Stream stream(device());
  const CudaKernel& kernel = device().load(image());
  const ContextScope current(other);
  launch_planner(device(), kernel, stream.get(), plan.params());
  EXPECT_EQ(plan.result(stream.get()).error, PlanError::none);
}

TEST_F(Executor, TooMuchMemoryIsOutOfMemory) {
  try {
    const DeviceMemory memory(device(), size_t{1} << 46);
    ADD_FAILURE() << "allocated";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::out_of_memory) << error.what();
  }
}

TEST_F(Executor, ADeviceThatIsNotThereIsNamed) {
  EXPECT_THROW(CudaDevice(1000, shared_driver()), Error);
}

TEST_F(Executor, TensorMapsAreEncodedOrRefused) {
  if (device().target().arch < 90) GTEST_SKIP() << "no bulk copy engine";
  const DeviceMemory memory(device(), 1 << 20);
  const ContextScope current(device());  // without one the driver knows no such address
  TensorMapShape shape{memory.data(), DType::bf16,  3, {128, 64, 16}, {0, 256, 16384},
                       {64, 16, 1},   Swizzle::b128};
  const TensorMap map = encode_tensor_map(driver(), shape);
  uint64_t bits = 0;
  for (uint64_t word : map.words) bits |= word;
  EXPECT_NE(bits, 0u);
  shape.strides[1] = 250;
  EXPECT_THROW(encode_tensor_map(driver(), shape), Error);
}

}  // namespace
}  // namespace weft::test
