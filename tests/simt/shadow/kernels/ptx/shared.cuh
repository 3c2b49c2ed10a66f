// SPDX-License-Identifier: Apache-2.0
// kernels/ptx/shared.cuh on the host.
#pragma once

#include "kernels/core/base.h"
#include "tests/simt/simt.h"

namespace weft {

inline uint32_t dynamic_smem() { return simt::kSharedBase; }

template <class T>
void store_shared(uint32_t at, T x) {
  std::memcpy(simt::shared(at, sizeof(T)), &x, sizeof(T));
}
template <class T>
T load_shared(uint32_t at) {
  T x;
  std::memcpy(&x, simt::shared(at, sizeof(T)), sizeof(T));
  return x;
}
inline float4 load_shared_f32x4(uint32_t at) { return load_shared<float4>(at); }
inline uint4 load_shared_u32x4(uint32_t at) { return load_shared<uint4>(at); }
inline uint2 load_shared_u32x2(uint32_t at) { return load_shared<uint2>(at); }
inline float2 load_shared_f32x2(uint32_t at) { return load_shared<float2>(at); }
inline float load_shared_f32(uint32_t at) { return load_shared<float>(at); }
inline int32_t load_shared_i32(uint32_t at) { return load_shared<int32_t>(at); }
inline uint64_t load_shared_u64(uint32_t at) { return load_shared<uint64_t>(at); }
inline uint16_t load_shared_u16(uint32_t at) { return load_shared<uint16_t>(at); }

template <int kThreads>
void barrier_sync(int id) {
  simt::meet(id, kThreads);
}

}  // namespace weft
