// SPDX-License-Identifier: Apache-2.0
// What tests on a GPU share: the device or a plain skip, arrays on it, and a captured graph that
// can be replayed and timed.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "src/cuda/device.h"
#include "src/jit/kernel_store.h"
#include "weft/error.h"

namespace weft::test {

/// Device 0 for a whole test suite, and a store of kernels that outlives it, as a device asks of
/// the images it loads; every test is skipped where there is none.
class GpuTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    try {
      driver_ = std::make_shared<const cu::Driver>();
      // To no disk: a test must not depend on what an earlier one left.
      store_ = std::make_unique<KernelStore>(JitOptions{.cache_dir = ""});
      device_ = std::make_unique<CudaDevice>(0, driver_);
    } catch (const Error& error) {
      reason_ = error.what();
    }
  }
  static void TearDownTestSuite() {
    device_.reset();
    store_.reset();
    driver_.reset();
  }
  void SetUp() override {
    if (!device_) GTEST_SKIP() << "no GPU: " << reason_;
  }

  static CudaDevice& device() { return *device_; }
  static KernelStore& store() { return *store_; }
  static const cu::Driver& driver() { return *driver_; }
  static const std::shared_ptr<const cu::Driver>& shared_driver() { return driver_; }

 private:
  static inline std::shared_ptr<const cu::Driver> driver_;
  static inline std::unique_ptr<KernelStore> store_;
  static inline std::unique_ptr<CudaDevice> device_;
  static inline std::string reason_;
};

/// `count` T on the device, filled with 0xcd.
template <class T>
class DeviceArray {
 public:
  DeviceArray(const CudaDevice& device, size_t count)
      : device_(device), memory_(device, count * sizeof(T)), count_(count) {
    const ContextScope current(device_);
    const cu::Driver& driver = device_.driver();
    driver.check(driver.fill_bytes(memory_.address(), 0xcd, count * sizeof(T), nullptr), "fill");
    driver.check(driver.context_synchronize(), "synchronize");
  }

  T* data() const { return static_cast<T*>(memory_.data()); }
  size_t size() const { return count_; }

  void write(const std::vector<T>& values, cu::Stream stream) {
    const ContextScope current(device_);
    const cu::Driver& driver = device_.driver();
    ASSERT_LE(values.size(), count_);
    if (values.empty()) return;
    driver.check(
        driver.copy_to_device(memory_.address(), values.data(), values.size() * sizeof(T), stream),
        "copy to device");
    driver.check(driver.stream_synchronize(stream), "synchronize");
  }

  std::vector<T> read(size_t count, cu::Stream stream) const {
    const ContextScope current(device_);
    const cu::Driver& driver = device_.driver();
    std::vector<T> values(count);
    driver.check(driver.stream_synchronize(stream), "synchronize");
    if (count == 0) return values;
    driver.check(driver.copy_to_host(values.data(), memory_.address(), count * sizeof(T), stream),
                 "copy to host");
    driver.check(driver.stream_synchronize(stream), "synchronize");
    return values;
  }

 private:
  const CudaDevice& device_;
  DeviceMemory memory_;
  size_t count_;
};

class Stream {
 public:
  explicit Stream(const CudaDevice& device) : device_(device) {
    const ContextScope current(device_);
    device_.driver().check(device_.driver().stream_create(&stream_, 1), "cuStreamCreate");
  }
  ~Stream() {
    const ContextScope current(device_);
    device_.driver().stream_destroy(stream_);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  cu::Stream get() const { return stream_; }
  void synchronize() const {
    const ContextScope current(device_);
    device_.driver().check(device_.driver().stream_synchronize(stream_), "cuStreamSynchronize");
  }

 private:
  const CudaDevice& device_;
  cu::Stream stream_ = nullptr;
};

/// What `body` enqueues on `stream`, captured once.
class CapturedGraph {
 public:
  CapturedGraph(const CudaDevice& device, cu::Stream stream, const std::function<void()>& body)
      : device_(device), stream_(stream) {
    const ContextScope current(device_);
    const cu::Driver& driver = device_.driver();
    driver.check(driver.capture_begin(stream_, cu::kCaptureGlobal), "cuStreamBeginCapture");
    body();
    driver.check(driver.capture_end(stream_, &graph_), "cuStreamEndCapture");
    driver.check(driver.graph_instantiate(&exec_, graph_, 0), "cuGraphInstantiate");
  }
  ~CapturedGraph() {
    const ContextScope current(device_);
    device_.driver().graph_exec_destroy(exec_);
    device_.driver().graph_destroy(graph_);
  }
  CapturedGraph(const CapturedGraph&) = delete;
  CapturedGraph& operator=(const CapturedGraph&) = delete;

  void replay() const {
    const ContextScope current(device_);
    device_.driver().check(device_.driver().graph_launch(exec_, stream_), "cuGraphLaunch");
  }

  /// Microseconds of one replay: the median of `rounds`, by events.
  double time_us(int rounds) const;

 private:
  const CudaDevice& device_;
  cu::Stream stream_;
  cu::Graph graph_ = nullptr;
  cu::GraphExec exec_ = nullptr;
};

}  // namespace weft::test
