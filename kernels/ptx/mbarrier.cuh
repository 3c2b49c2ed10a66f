// SPDX-License-Identifier: Apache-2.0
// Barriers in shared memory that count arrivals and bytes of asynchronous copies (PTX ISA,
// mbarrier; sm_90), named by their shared-memory address. A wait names the parity of the phase it
// waits for: the first phase has parity 0.
#pragma once

#include "kernels/core/base.h"

namespace weft {

/// The CTA's dynamic shared memory, aligned as swizzled tiles and barriers need it.
__device__ __forceinline__ char* tile_smem() {
  extern __shared__ __align__(1024) char weft_tile_smem[];
  return weft_tile_smem;
}

/// Address of a shared-memory object as the instructions below take it.
__device__ __forceinline__ uint32_t smem_address(const void* p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

/// A phase ends after `arrivals` arrivals and all bytes that were announced.
__device__ __forceinline__ void mbarrier_init(uint32_t barrier, uint32_t arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals));
}

/// Makes initialised barriers visible to the copy engine; then a __syncthreads for the others.
__device__ __forceinline__ void mbarrier_fence_init() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

__device__ __forceinline__ void mbarrier_arrive(uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

/// Arrives, and announces bytes that copies will bring in this phase.
__device__ __forceinline__ void mbarrier_arrive_expect(uint32_t barrier, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
               : "memory");
}

__device__ __forceinline__ void mbarrier_wait(uint32_t barrier, uint32_t parity) {
  // The suspended try_wait returns by itself after a time the hardware chooses.
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "again:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra again;\n"
      "}\n" ::"r"(barrier),
      "r"(parity)
      : "memory");
}

/// An arrival that the hardware makes once all cp.async this thread has issued are done. The writes
/// are ordinary ones: who reads them by other means than ordinary loads needs fence_async_proxy
/// behind its wait.
__device__ __forceinline__ void mbarrier_arrive_behind_copies(uint32_t barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(barrier) : "memory");
}

/// Orders this thread's ordinary accesses to shared memory before what the copy engine and the
/// tensor cores do there after a later barrier.
__device__ __forceinline__ void fence_async_proxy() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

}  // namespace weft
