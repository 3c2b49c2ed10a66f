// SPDX-License-Identifier: Apache-2.0
// A CTA on the host, for kernels whose every instruction of a GPU stands in kernels/ptx: each
// thread is a fiber, a warp meets where its lanes exchange values, and the rest is C++. Finds wrong
// indices, masks, waits and barriers on a machine without a GPU; knows nothing of time or of memory
// order between CTAs, which run one after the other unless they form a cluster.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>

#define __device__
#define __forceinline__ inline

struct Dim3 {
  unsigned x;
};
extern Dim3 threadIdx, blockIdx, blockDim, gridDim;

struct float2 {
  float x, y;
};
struct float4 {
  float x, y, z, w;
};
struct int4 {
  int x, y, z, w;
};
struct uint2 {
  unsigned x, y;
};
struct uint4 {
  unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline unsigned long long atomicMin(unsigned long long* at, unsigned long long x) {
  const unsigned long long before = *at;
  *at = x < before ? x : before;
  return before;
}
inline float __uint_as_float(uint32_t x) {
  float y;
  std::memcpy(&y, &x, sizeof(y));
  return y;
}
inline uint32_t __float_as_uint(float x) {
  uint32_t y;
  std::memcpy(&y, &x, sizeof(y));
  return y;
}
inline float __int_as_float(int32_t x) { return __uint_as_float(static_cast<uint32_t>(x)); }
template <class T>
T __ldcg(const T* at) {
  return *at;
}
inline void __threadfence() {}

namespace weft::simt {

/// Runs one CTA: `body` once for each of `num_threads` threads, over `smem_bytes` of shared memory
/// filled with NaN. Throws std::runtime_error when threads wait for each other for ever.
void run_cta(int cta, int num_ctas, int num_threads, int smem_bytes,
             const std::function<void()>& body);

/// The same for the `size` CTAs of a cluster, which run at the same time; `first` is the first one.
void run_cluster(int first, int num_ctas, int size, int num_threads, int smem_bytes,
                 const std::function<void()>& body);
int cluster_rank();
/// All threads of all CTAs of the cluster.
void meet_cluster();
/// Its two halves.
void arrive_cluster();
void wait_cluster();
/// Shared memory of another CTA of the cluster.
char* peer_shared(int rank, uint32_t at, int bytes);

/// `bytes` of shared memory at a 32-bit address. Throws outside what the CTA asked for.
char* shared(uint32_t at, int bytes);
inline constexpr uint32_t kSharedBase = 1024;

/// Gives `bytes` (at most 32) to the other lanes of the warp, once all of them are here; the answer
/// holds those of lane l at 32 * l until the warp meets again.
const char* exchange(const void* mine, int bytes);

/// bar.sync.
void meet(int id, int num_threads);
/// bar.arrive: counts, and goes on.
void arrive(int id, int num_threads);
int num_threads();

/// The thread goes on once `ready` is true.
void wait_until(std::function<bool()> ready);

/// cp.async: done when waited for, and no sooner.
void copy_later(uint32_t to, const void* from, int bytes, int zeros);
void commit_copies();
void wait_copies(int pending);
/// The thread's copies since its last commit, to be done by whoever waits for them.
std::function<void()> take_copies();

}  // namespace weft::simt

template <class T>
T __shfl_sync(unsigned, T x, int lane) {
  T y;
  std::memcpy(&y, weft::simt::exchange(&x, sizeof(T)) + 32 * (lane & 31), sizeof(T));
  return y;
}
template <class T>
T __shfl_xor_sync(unsigned mask, T x, int bits) {
  return __shfl_sync(mask, x, static_cast<int>(threadIdx.x % 32) ^ bits);
}
inline int __any_sync(unsigned, bool x) {
  const char* all = weft::simt::exchange(&x, 1);
  for (int lane = 0; lane < 32; ++lane) {
    if (all[32 * lane] != 0) return 1;
  }
  return 0;
}
inline unsigned __ballot_sync(unsigned, bool x) {
  const char* all = weft::simt::exchange(&x, 1);
  unsigned bits = 0;
  for (int lane = 0; lane < 32; ++lane) bits |= static_cast<unsigned>(all[32 * lane] != 0) << lane;
  return bits;
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline void __syncthreads() { weft::simt::meet(0, weft::simt::num_threads()); }
inline float __fdividef(float a, float b) { return a / b; }
inline void __syncwarp() {
  const char nothing = 0;
  weft::simt::exchange(&nothing, 1);
}
