// SPDX-License-Identifier: Apache-2.0
// Programmatic dependent launch (PTX ISA, griddepcontrol; sm_90 and later, nothing before it): the
// next kernel of a stream may start while this one still runs.
#pragma once

#include "kernels/core/base.h"

namespace weft {

/// Waits until the kernels before this one have finished and their writes can be seen. Nothing that
/// one of them may write is read before it.
__device__ __forceinline__ void griddep_wait() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/// Lets the next kernel be placed as soon as there is room.
__device__ __forceinline__ void griddep_launch_dependents() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/// Ends a kernel whose writes kernels behind it read before their own griddep_wait, as attention
/// reads its plan: it never calls griddep_launch_dependents, so none of them starts before it has
/// ended, and by then every thread's writes have reached the device's scope.
__device__ __forceinline__ void griddep_publish() {
  asm volatile("fence.acq_rel.gpu;" ::: "memory");
}

}  // namespace weft
