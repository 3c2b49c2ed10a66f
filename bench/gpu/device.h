// SPDX-License-Identifier: Apache-2.0
// What the GPU benchmarks need of a device: arrays on it, filled with random numbers, and captured
// graphs that are timed by events.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "kernels/core/dtype.h"
#include "src/cuda/backend.h"

namespace weft::bench {

/// `count` T on the device.
template <class T>
class Array {
 public:
  Array(const CudaDevice& device, size_t count)
      : device_(device), memory_(device, count * sizeof(T)), count_(count) {}
  Array(const CudaDevice& device, const std::vector<T>& values) : Array(device, values.size()) {
    write(values, 0);
  }

  void write(const std::vector<T>& values, size_t first) {
    const ContextScope current(device_);
    const cu::Driver& driver = device_.driver();
    driver.check(driver.copy_to_device(memory_.address() + first * sizeof(T), values.data(),
                                       values.size() * sizeof(T), nullptr),
                 "cuMemcpyHtoDAsync");
    driver.check(driver.stream_synchronize(nullptr), "cuStreamSynchronize");
  }
  /// Fills the rest with copies of the first `count`.
  void repeat(size_t count) {
    const ContextScope current(device_);
    const cu::Driver& driver = device_.driver();
    for (size_t done = count; done < count_;) {
      const size_t more = std::min(done, count_ - done);
      driver.check(driver.copy_on_device(memory_.address() + done * sizeof(T), memory_.address(),
                                         more * sizeof(T), nullptr),
                   "cuMemcpyDtoDAsync");
      done += more;
    }
    driver.check(driver.stream_synchronize(nullptr), "cuStreamSynchronize");
  }
  T* data() const { return static_cast<T*>(memory_.data()); }
  size_t size() const { return count_; }

 private:
  const CudaDevice& device_;
  DeviceMemory memory_;
  size_t count_;
};

/// Random numbers, again and again the same 16 M words of them: of bf16 nearly normal ones, of
/// e4m3 and e5m2 bytes of magnitude below 2.
void fill_random(Array<uint16_t>& array, DType dtype);

/// What `body` enqueues on the stream it is given, captured once.
class Graph {
 public:
  Graph(const CudaDevice& device, const std::function<void(void* stream)>& body);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// Microseconds of one replay.
  double time_us() const;

 private:
  const CudaDevice& device_;
  cu::Stream stream_ = nullptr;
  cu::Graph graph_ = nullptr;
  cu::GraphExec exec_ = nullptr;
  cu::Event begin_ = nullptr, end_ = nullptr;
};

}  // namespace weft::bench
