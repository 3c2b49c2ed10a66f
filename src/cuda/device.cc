// SPDX-License-Identifier: Apache-2.0
// See device.h.
#include "src/cuda/device.h"

#include "src/base/check.h"
#include "src/jit/nvrtc.h"

namespace weft {
namespace {

// Loading is not allowed while some stream is captured in global mode, and would end the capture;
// in relaxed mode of this thread it is, and nothing that we load is part of anybody's graph.
class RelaxedCapture {
 public:
  explicit RelaxedCapture(const cu::Driver& driver) : driver_(driver) {
    driver_.check(driver_.capture_mode(&mode_), "cuThreadExchangeStreamCaptureMode");
  }
  ~RelaxedCapture() { driver_.capture_mode(&mode_); }
  RelaxedCapture(const RelaxedCapture&) = delete;
  RelaxedCapture& operator=(const RelaxedCapture&) = delete;

 private:
  const cu::Driver& driver_;
  cu::CaptureMode mode_ = cu::kCaptureRelaxed;
};

}  // namespace

int num_cuda_devices(const cu::Driver& driver) {
  int count = 0;
  driver.check(driver.device_count(&count), "cuDeviceGetCount");
  return count;
}

CudaDevice::CudaDevice(int index, const std::shared_ptr<const cu::Driver>& driver)
    : driver_(driver) {
  check_range("target.device_index", index, 0, num_cuda_devices(*driver_) - 1);
  driver_->check(driver_->device_get(&device_, index), "cuDeviceGet");
  const auto attribute = [&](cu::DeviceAttribute which) {
    int value = 0;
    driver_->check(driver_->device_attribute(&value, which, device_), "cuDeviceGetAttribute");
    return value;
  };
  char name[256] = {};
  driver_->check(driver_->device_name(name, sizeof(name), device_), "cuDeviceGetName");
  name_ = name;
  target_.device = DeviceType::cuda;
  target_.device_index = index;
  target_.arch = 10 * attribute(cu::kMajor) + attribute(cu::kMinor);
  target_.num_sms = attribute(cu::kNumSms);
  target_.smem_per_sm = attribute(cu::kSmemPerSm);
  target_.l2_bytes = attribute(cu::kL2Bytes);
  target_.num_workers = target_.num_sms;
  driver_->check(driver_->primary_retain(&context_, device_), "cuDevicePrimaryCtxRetain");
}

CudaDevice::~CudaDevice() {
  // Results are ignored: at the end of a process the driver may be gone before us.
  if (driver_->context_push(context_) == cu::kSuccess) {
    for (const Loaded& loaded : loaded_) driver_->module_unload(loaded.module);
    cu::Context popped = nullptr;
    driver_->context_pop(&popped);
  }
  driver_->primary_release(device_);
}

void CudaDevice::load_into(Loaded& loaded, const KernelImage& image) const {
  driver_->check(driver_->module_load(&loaded.module, image.cubin.data()), "cuModuleLoadData");
  CudaKernel& k = loaded.kernel;
  driver_->check(driver_->module_function(&k.function, loaded.module, kKernelEntry),
                 "cuModuleGetFunction");
  k.num_threads = image.num_threads;
  k.smem_bytes = image.smem_bytes;
  k.params_bytes = image.params_bytes;
  if (k.smem_bytes > 48 * 1024) {
    driver_->check(driver_->function_set(k.function, cu::kMaxDynamicSmem, k.smem_bytes),
                   "cuFuncSetAttribute");
  }
  if (target_.arch >= 90) {  // clusters of 16, where a kernel asks for them
    driver_->check(driver_->function_set(k.function, cu::kNonPortableCluster, 1),
                   "cuFuncSetAttribute");
  }
  // Also loads the code now, where the driver would otherwise wait for the first launch.
  driver_->check(driver_->occupancy(&k.ctas_per_sm, k.function, k.num_threads,
                                    static_cast<size_t>(k.smem_bytes)),
                 "cuOccupancyMaxActiveBlocksPerMultiprocessor");
}

const CudaKernel& CudaDevice::load(const KernelImage& image) {
  const std::lock_guard lock(mutex_);
  for (const Loaded& loaded : loaded_) {
    if (loaded.image == &image) return loaded.kernel;
  }
  // Drivers were seen to load a cubin of another architecture and to fail at its first launch.
  if (image.arch != arch_name(target_.arch)) {
    throw Error(ErrorKind::device, "kernel " + image.name + " for " + image.arch + " on " + name_ +
                                       ": expected " + arch_name(target_.arch));
  }
  const ContextScope current(*this);
  const RelaxedCapture relaxed(*driver_);
  Loaded& loaded = loaded_.emplace_back();
  try {
    load_into(loaded, image);
  } catch (const Error& error) {
    if (loaded.module != nullptr) driver_->module_unload(loaded.module);
    loaded_.pop_back();
    throw Error(error.kind(), "kernel " + image.name + " for " + image.arch + " on " + name_ +
                                  ": " + error.what());
  }
  loaded.image = &image;
  return loaded.kernel;
}

ContextScope::ContextScope(const CudaDevice& device) : driver_(device.driver()) {
  cu::Context current = nullptr;
  driver_.check(driver_.context_get(&current), "cuCtxGetCurrent");
  if (current == device.context()) return;
  driver_.check(driver_.context_push(device.context()), "cuCtxPushCurrent");
  pushed_ = true;
}

ContextScope::~ContextScope() {
  if (!pushed_) return;
  cu::Context popped = nullptr;
  driver_.context_pop(&popped);
}

DeviceMemory::DeviceMemory(const CudaDevice& device, size_t bytes)
    : device_(device), bytes_(bytes) {
  const ContextScope current(device_);
  device_.driver().check(device_.driver().memory_alloc(&address_, bytes > 0 ? bytes : 1),
                         "cuMemAlloc");
}

DeviceMemory::~DeviceMemory() {
  const cu::Driver& driver = device_.driver();
  if (driver.context_push(device_.context()) != cu::kSuccess) return;
  driver.memory_free(address_);
  cu::Context popped = nullptr;
  driver.context_pop(&popped);
}

}  // namespace weft
