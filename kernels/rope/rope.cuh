// SPDX-License-Identifier: Apache-2.0
// rope_tokens: rotates the heads of q and k, a warp for some heads of one token. Bound by memory:
// each element is read and written once, 16 bytes at a time, its angle made once a warp.
#pragma once

#include "kernels/core/fault.h"
#include "kernels/ptx/griddep.cuh"
#include "kernels/rope/params.h"
#include "kernels/rope/smem.h"
#include "kernels/tile/head_rows.cuh"

namespace weft {
namespace rope_kernel {

/// The heads of q and, behind them, of k.
struct Heads {
  const char *q, *k;  // of the token
  char *q_out, *k_out;
  int64_t q_stride, k_stride, q_out_stride, k_out_stride;  // bytes
  int32_t num_qo_heads;

  __device__ __forceinline__ Heads(const RopeParams& p, int64_t token, int64_t size)
      : q(static_cast<const char*>(p.q) + token * p.q_stride_token * size),
        k(static_cast<const char*>(p.k) + token * p.k_stride_token * size),
        q_out(static_cast<char*>(p.q_out) + token * p.q_out_stride_token * size),
        k_out(static_cast<char*>(p.k_out) + token * p.k_out_stride_token * size),
        q_stride(p.q_stride_head * size),
        k_stride(p.k_stride_head * size),
        q_out_stride(p.q_out_stride_head * size),
        k_out_stride(p.k_out_stride_head * size),
        num_qo_heads(p.num_qo_heads) {}

  __device__ __forceinline__ const char* in(int32_t h) const {
    return h < num_qo_heads ? q + h * q_stride : k + (h - num_qo_heads) * k_stride;
  }
  __device__ __forceinline__ char* out(int32_t h) const {
    return h < num_qo_heads ? q_out + h * q_out_stride : k_out + (h - num_qo_heads) * k_out_stride;
  }
  __device__ __forceinline__ float scale(int32_t) const { return 1.0f; }
  __device__ __forceinline__ bool writes(int32_t) const { return true; }
};

struct TokenPosition {
  int64_t value;
  bool right;
};

__device__ __forceinline__ TokenPosition wrong(const RopeParams& p, RowFault fault, int64_t token) {
  if (threadIdx.x % 32 == 0) {
    atomicMin(reinterpret_cast<unsigned long long*>(p.fault), fault_word(fault, token));
  }
  return {0, false};
}

/// Where the token sits; notes the fault when that has no angle.
__device__ __forceinline__ TokenPosition position_of(const RopeParams& p, int64_t token) {
  const bool trusted = p.fault == nullptr;
  RowFault blamed = RowFault::positions;
  int32_t request = 0;
  if (p.indptr != nullptr) {
    request = request_of(p.indptr, p.batch_size, token);
    if (!trusted && (p.indptr[request] > token || p.indptr[request + 1] <= token)) {
      return wrong(p, RowFault::indptr, token);
    }
    blamed = RowFault::offsets;
  }
  const int64_t position = rope_position(p, token, request);
  if (!trusted && (position < 0 || position >= p.max_position)) return wrong(p, blamed, token);
  return {position, true};
}

}  // namespace rope_kernel

/// REQUIRES: spec.num_threads threads a CTA, 2^share_shift warps for each token.
template <RopeWarpSpec spec>
__device__ __forceinline__ void rope_tokens(const RopeParams& p) {
  using namespace rope_kernel;
  constexpr HeadRowSpec kRows = spec.rows();
  griddep_launch_dependents();
  const uint32_t warp = blockIdx.x * (spec.num_threads / 32) + threadIdx.x / 32;
  const int64_t token = warp >> p.share_shift;
  if (token >= p.nnz) return;
  const HeadRange range =
      share_of<kRows>(p.num_qo_heads + p.num_kv_heads,
                      static_cast<int32_t>(warp & ((1u << p.share_shift) - 1)), p.share_shift);
  const Heads heads(p, token, size_of(spec.dtype));
  const AngleSource source{p.turns, p.cos_sin_cache, p.cache_stride};
  const uint32_t shared = dynamic_smem() + threadIdx.x / 32 * kRows.angle_bytes();
  griddep_wait();
#pragma unroll 1  // a long head takes many: one is compiled
  for (int32_t pass = 0; pass < kRows.passes(); ++pass) {
    const LaneUnit unit = lane_unit<kRows>(pass, p.copies_rest);
    HeadBatch<kRows> batch;
    batch.begin(heads, range, unit);
    const TokenPosition position = position_of(p, token);
    if (!position.right) return;
    LaneAngles<spec.vec> angles;
    make_angles<kRows>(source, position.value, pass, shared, angles);
    batch.finish(heads, range, unit, angles);
  }
}

}  // namespace weft
