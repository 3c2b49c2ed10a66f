// SPDX-License-Identifier: Apache-2.0
// The public CudaBackend.
#include "src/cuda/backend.h"

#include "weft/error.h"

namespace weft {

CudaBackend::CudaBackend(int device_index, const JitOptions& jit)
    : state_(std::make_shared<detail::CudaState>(device_index, jit)) {}

int CudaBackend::num_devices() {
  try {
    return num_cuda_devices(cu::Driver());
  } catch (const Error&) {  // no driver, or one that finds nothing
    return 0;
  }
}

const Target& CudaBackend::target() const { return state_->device.target(); }
const std::string& CudaBackend::device_name() const { return state_->device.name(); }

}  // namespace weft
