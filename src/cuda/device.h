// SPDX-License-Identifier: Apache-2.0
// One GPU: its Target, the caller's primary context on it, and the kernels loaded there. Everything
// that may allocate or synchronise happens here, in prepare; src/cuda/launch.h is the run path.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "src/base/kernel.h"
#include "src/cuda/driver.h"
#include "weft/target.h"

namespace weft {

/// A kernel on a device, ready to launch. Lives as long as its CudaDevice.
struct CudaKernel {
  cu::Function function = nullptr;
  int num_threads = 0;
  int smem_bytes = 0;
  int params_bytes = 0;
  int ctas_per_sm = 0;  // that fit at once
};

/// Thread-safe.
class CudaDevice {
 public:
  /// Throws Error(device) when there is no driver, Error(invalid_argument) when no device `index`.
  explicit CudaDevice(int index, const std::shared_ptr<const cu::Driver>& driver);
  ~CudaDevice();
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;

  const Target& target() const { return target_; }
  const std::string& name() const { return name_; }
  const cu::Driver& driver() const { return *driver_; }
  cu::Context context() const { return context_; }

  /// Loads an image once; the same image gives the same kernel. May be called while a stream is
  /// being captured, and does not disturb the capture. REQUIRES: `image` outlives the device.
  const CudaKernel& load(const KernelImage& image);

 private:
  struct Loaded {
    const KernelImage* image = nullptr;
    cu::Module module = nullptr;
    CudaKernel kernel;
  };

  void load_into(Loaded& loaded, const KernelImage& image) const;

  std::shared_ptr<const cu::Driver> driver_;
  cu::Device device_ = 0;
  cu::Context context_ = nullptr;
  Target target_;
  std::string name_;
  std::mutex mutex_;
  std::list<Loaded> loaded_;  // addresses stay
};

int num_cuda_devices(const cu::Driver& driver);

/// Makes a device's context current in this thread while it lives, whatever the caller's is.
class ContextScope {
 public:
  explicit ContextScope(const CudaDevice& device);
  ~ContextScope();
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;

 private:
  const cu::Driver& driver_;
  bool pushed_ = false;
};

/// Device memory, for plan buffers a caller does not bring.
class DeviceMemory {
 public:
  /// Throws Error(out_of_memory).
  DeviceMemory(const CudaDevice& device, size_t bytes);
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  void* data() const { return reinterpret_cast<void*>(address_); }
  cu::Address address() const { return address_; }
  size_t bytes() const { return bytes_; }

 private:
  const CudaDevice& device_;
  size_t bytes_ = 0;
  cu::Address address_ = 0;
};

}  // namespace weft
