// SPDX-License-Identifier: Apache-2.0
// Asynchronous copies from global to shared memory, 16 bytes a thread (PTX ISA, cp.async; sm_80 and
// later). Groups complete in the order they were committed.
#pragma once

#include "kernels/core/base.h"

namespace weft {

__device__ __forceinline__ void cp_async16(uint32_t to, const void* from) {
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16;" ::"r"(to), "l"(from)
               : "memory");
}

/// Copies, or writes zeros and reads nothing.
__device__ __forceinline__ void cp_async16_or_zero(uint32_t to, const void* from, bool copy) {
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(to), "l"(from),
               "r"(copy ? 16 : 0)
               : "memory");
}

__device__ __forceinline__ void cp_async_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

/// Waits until at most kPending of the thread's latest groups are under way.
template <int kPending>
__device__ __forceinline__ void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

}  // namespace weft
