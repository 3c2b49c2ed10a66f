// SPDX-License-Identifier: Apache-2.0
// Shared memory by 32-bit address (PTX ISA, ld/st.shared, bar): kernels compute addresses in one
// register, and no compiler has to prove which space a pointer belongs to.
#pragma once

#include "kernels/core/base.h"

namespace weft {

/// Address of the CTA's dynamic shared memory. Opaque to the compiler: NVRTC else forms it anew,
/// with a 64-bit move and a conversion, at every use.
__device__ __forceinline__ uint32_t dynamic_smem() {
  extern __shared__ __align__(128) char weft_dynamic_smem[];
  uint32_t base = static_cast<uint32_t>(__cvta_generic_to_shared(weft_dynamic_smem));
  asm volatile("" : "+r"(base));
  return base;
}

__device__ __forceinline__ void store_shared(uint32_t at, float4 x) {
  asm volatile("st.shared.v4.f32 [%0], {%1, %2, %3, %4};" ::"r"(at), "f"(x.x), "f"(x.y), "f"(x.z),
               "f"(x.w)
               : "memory");
}
__device__ __forceinline__ void store_shared(uint32_t at, uint4 x) {
  asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(at), "r"(x.x), "r"(x.y), "r"(x.z),
               "r"(x.w)
               : "memory");
}
__device__ __forceinline__ void store_shared(uint32_t at, uint2 x) {
  asm volatile("st.shared.v2.b32 [%0], {%1, %2};" ::"r"(at), "r"(x.x), "r"(x.y) : "memory");
}
__device__ __forceinline__ void store_shared(uint32_t at, float2 x) {
  asm volatile("st.shared.v2.f32 [%0], {%1, %2};" ::"r"(at), "f"(x.x), "f"(x.y) : "memory");
}
__device__ __forceinline__ void store_shared(uint32_t at, float x) {
  asm volatile("st.shared.f32 [%0], %1;" ::"r"(at), "f"(x) : "memory");
}
__device__ __forceinline__ void store_shared(uint32_t at, int32_t x) {
  asm volatile("st.shared.b32 [%0], %1;" ::"r"(at), "r"(x) : "memory");
}
__device__ __forceinline__ void store_shared(uint32_t at, uint64_t x) {
  asm volatile("st.shared.b64 [%0], %1;" ::"r"(at), "l"(x) : "memory");
}
__device__ __forceinline__ void store_shared(uint32_t at, uint16_t x) {
  asm volatile("st.shared.b16 [%0], %1;" ::"r"(at), "h"(x) : "memory");
}

__device__ __forceinline__ float4 load_shared_f32x4(uint32_t at) {
  float4 x;
  asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];"
               : "=f"(x.x), "=f"(x.y), "=f"(x.z), "=f"(x.w)
               : "r"(at)
               : "memory");
  return x;
}
__device__ __forceinline__ uint4 load_shared_u32x4(uint32_t at) {
  uint4 x;
  asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
               : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
               : "r"(at)
               : "memory");
  return x;
}
__device__ __forceinline__ uint2 load_shared_u32x2(uint32_t at) {
  uint2 x;
  asm volatile("ld.shared.v2.b32 {%0, %1}, [%2];" : "=r"(x.x), "=r"(x.y) : "r"(at) : "memory");
  return x;
}
__device__ __forceinline__ float2 load_shared_f32x2(uint32_t at) {
  float2 x;
  asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];" : "=f"(x.x), "=f"(x.y) : "r"(at) : "memory");
  return x;
}
__device__ __forceinline__ float load_shared_f32(uint32_t at) {
  float x;
  asm volatile("ld.shared.f32 %0, [%1];" : "=f"(x) : "r"(at) : "memory");
  return x;
}
__device__ __forceinline__ int32_t load_shared_i32(uint32_t at) {
  int32_t x;
  asm volatile("ld.shared.b32 %0, [%1];" : "=r"(x) : "r"(at) : "memory");
  return x;
}
__device__ __forceinline__ uint64_t load_shared_u64(uint32_t at) {
  uint64_t x;
  asm volatile("ld.shared.b64 %0, [%1];" : "=l"(x) : "r"(at) : "memory");
  return x;
}
__device__ __forceinline__ uint16_t load_shared_u16(uint32_t at) {
  uint16_t x;
  asm volatile("ld.shared.b16 %0, [%1];" : "=h"(x) : "r"(at) : "memory");
  return x;
}

/// Waits for kThreads threads of the CTA at barrier `id`.
template <int kThreads>
__device__ __forceinline__ void barrier_sync(int id) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "n"(kThreads) : "memory");
}

}  // namespace weft
