// SPDX-License-Identifier: Apache-2.0
// The run path: one driver call that enqueues a loaded kernel. Allocates nothing, takes no lock,
// copies nothing but the parameters, never synchronises; may be captured in a graph.
#pragma once

#include "src/base/check.h"
#include "src/cuda/device.h"

namespace weft {

struct LaunchShape {
  int num_ctas = 1;
  int cluster = 1;  // CTAs that share distributed shared memory; divides num_ctas
  /// Starts before the grid ahead of it in the stream has ended; the kernel waits by itself
  /// (kernels/ptx/griddep.cuh).
  bool overlaps_previous = false;
  bool cooperative = false;  // all CTAs resident at once, or an error
};

void launch_bytes(const CudaDevice& device, const CudaKernel& kernel, const LaunchShape& shape,
                  void* stream, const void* params);

/// Enqueues `kernel` on `stream` (null: the legacy default stream). Throws Error(device).
template <class Params>
void launch(const CudaDevice& device, const CudaKernel& kernel, const LaunchShape& shape,
            void* stream, const Params& params) {
  if (static_cast<int>(sizeof(Params)) != kernel.params_bytes) {
    fail(ErrorKind::internal, "params", std::to_string(kernel.params_bytes) + " bytes",
         std::to_string(sizeof(Params)));
  }
  launch_bytes(device, kernel, shape, stream, &params);
}

}  // namespace weft
