// SPDX-License-Identifier: Apache-2.0
// What stands behind a CudaBackend: the driver, the device, and the store its kernels come from.
// The operators' cuda.cc ask it for kernels in prepare and launch them in run.
#pragma once

#include <memory>

#include "src/cuda/device.h"
#include "src/jit/kernel_store.h"
#include "weft/cuda.h"

namespace weft::detail {

struct CudaState {
  CudaState(int device_index, const JitOptions& jit)
      : store(jit), device(device_index, std::make_shared<const cu::Driver>()) {}

  /// The kernel for `spec` on this device: found or compiled, and loaded. For prepare.
  template <class Spec>
  const CudaKernel& kernel(const Spec& spec) {
    return device.load(store.get(spec, device.target().arch));
  }

  KernelStore store;  // outlives the device, which keeps images of it
  CudaDevice device;
};

}  // namespace weft::detail
