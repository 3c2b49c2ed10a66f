// SPDX-License-Identifier: Apache-2.0
// What the GPU tests of attention share: one backend for the process, and a case made ready to run
// there: its tensors on the device, an Attention, a plan over a dirty fenced workspace.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/cuda/backend.h"
#include "tests/cases/run_case.h"
#include "tests/gpu/device_mirror.h"
#include "tests/gpu/gpu.h"
#include "weft/cuda.h"

namespace weft::test {

/// The backend of device 0, made once; null where there is no GPU, and `reason` says why. Kernels
/// go to a disk cache that the processes of one test run share.
const CudaBackend* gpu_backend();
const std::string& no_gpu_reason();

/// Why the CUDA backend has no kernel for a case; empty when it must have one.
std::string unsupported_on_cuda(const cases::AttentionCase& c);

/// A fenced workspace on the device, filled with `dirt`.
class DeviceWorkspace {
 public:
  DeviceWorkspace(const CudaDevice& device, size_t bytes);
  TensorView view() const;
  void spoil(unsigned char dirt) const;
  bool fences_intact() const;

 private:
  const CudaDevice& device_;
  size_t bytes_;
  DeviceMemory memory_;
};

class GpuRunner {
 public:
  /// REQUIRES: `data` outlives it.
  GpuRunner(const CudaBackend& backend, cases::AttentionData& data);

  void plan(void* stream = nullptr) { attention_.plan(mirror_.batch(), plan_, {stream}); }
  void run(void* stream = nullptr) const { attention_.run(plan_, mirror_.args(), {stream}); }
  /// Waits, and fetches the outputs.
  void finish();

  const Attention& attention() const { return attention_; }
  AttentionPlan& plan_object() { return plan_; }
  DeviceMirror& mirror() { return mirror_; }
  const DeviceWorkspace& workspace() const { return workspace_; }

 private:
  const CudaDevice& device_;
  DeviceMirror mirror_;
  Attention attention_;
  DeviceWorkspace workspace_;
  AttentionPlan plan_;
};

/// Empty when the plan on the device is the host's partition of the same lengths.
std::string compare_with_host_plan(const AttentionPlan& plan, const cases::AttentionData& data);

/// The whole check of one row of a table. Empty when right; `worst` as in cases::Comparison.
std::string check_case_on_gpu(const cases::AttentionCase& c, uint64_t seed, double* worst);

}  // namespace weft::test
