// SPDX-License-Identifier: Apache-2.0
// CTAs of one cluster (PTX ISA, cluster; sm_90 and later): their barrier, and each other's shared
// memory by 32-bit address.
#pragma once

#include "kernels/core/base.h"

namespace weft {

__device__ __forceinline__ uint32_t cluster_rank() {
  uint32_t rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}

/// All threads of all CTAs; what they wrote before can be read by all behind it.
__device__ __forceinline__ void cluster_sync() {
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;\n" ::
                   : "memory");
}

/// The two halves of cluster_sync. A CTA that nobody waits for may end behind its arrival.
__device__ __forceinline__ void cluster_arrive() {
  asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
}
__device__ __forceinline__ void cluster_wait() {
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
}

/// What lies at `address` of this CTA's shared memory, in CTA `rank`.
__device__ __forceinline__ uint32_t peer_address(uint32_t address, uint32_t rank) {
  uint32_t peer;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(peer) : "r"(address), "r"(rank));
  return peer;
}

__device__ __forceinline__ uint32_t load_peer_u32(uint32_t at) {
  uint32_t x;
  asm volatile("ld.shared::cluster.u32 %0, [%1];" : "=r"(x) : "r"(at) : "memory");
  return x;
}
__device__ __forceinline__ uint64_t load_peer_u64(uint32_t at) {
  uint64_t x;
  asm volatile("ld.shared::cluster.u64 %0, [%1];" : "=l"(x) : "r"(at) : "memory");
  return x;
}
__device__ __forceinline__ uint4 load_peer_u32x4(uint32_t at) {
  uint4 x;
  asm volatile("ld.shared::cluster.v4.b32 {%0, %1, %2, %3}, [%4];"
               : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
               : "r"(at)
               : "memory");
  return x;
}
__device__ __forceinline__ void store_peer(uint32_t at, uint64_t x) {
  asm volatile("st.shared::cluster.u64 [%0], %1;" ::"r"(at), "l"(x) : "memory");
}

/// The value before.
__device__ __forceinline__ uint32_t fetch_add_peer(uint32_t at, uint32_t x) {
  uint32_t before;
  asm volatile("atom.shared::cluster.add.u32 %0, [%1], %2;"
               : "=r"(before)
               : "r"(at), "r"(x)
               : "memory");
  return before;
}

}  // namespace weft
