// SPDX-License-Identifier: Apache-2.0
// merge_states: the merge of attention states, as many lanes of a warp for each (row, head) as it
// has vectors. Bound by memory: every element of every state is read once, `unroll` states at a
// time, and folded in ascending order in f32.
#pragma once

#include "kernels/merge/params.h"
#include "kernels/merge/spec.h"
#include "kernels/ptx/convert.cuh"
#include "kernels/ptx/griddep.cuh"
#include "kernels/tile/elements.cuh"
#include "kernels/tile/no_smem.h"

namespace weft {
namespace merge_kernel {

// One instruction, good to 2^-22: as much as a weight of f32 lse is worth. Keeps subnormal weights,
// which exp2_approx drops.
__device__ __forceinline__ float exp2_of(float x) {
  float y;
  asm("ex2.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ __forceinline__ float infinity() { return __int_as_float(0x7f800000); }

/// The states of one (row, head).
struct States {
  const char *first, *rest;  // of o
  int64_t rest_stride;       // bytes from a state to the next
  const float *lse_first, *lse_rest;
  int64_t lse_rest_stride;
  int32_t count;

  __device__ __forceinline__ const char* o(int32_t s) const {
    return s == 0 ? first : rest + (s - 1) * rest_stride;
  }
  __device__ __forceinline__ float lse(int32_t s) const {
    return s == 0 ? *lse_first : lse_rest[(s - 1) * lse_rest_stride];
  }
};

/// What is common to all weights: w_s = exp2((lse_s - top) * to_base2) * inverse.
struct Totals {
  float top, inverse, lse;
};

/// NaN loses every comparison, so it never is the top; it enters the sum, and with it everything.
template <int lanes>
__device__ __forceinline__ Totals totals(const States& states, int32_t lane, float to_base2,
                                         float from_base2) {
  float top = -infinity();
  // A lane's first state, mostly its only one, is read once.
  const float own = lane < states.count ? states.lse(lane) : -infinity();
  top = fmaxf(top, own);
  for (int32_t s = lane + lanes; s < states.count; s += lanes) top = fmaxf(top, states.lse(s));
#pragma unroll
  for (int i = lanes / 2; i > 0; i /= 2) top = fmaxf(top, __shfl_xor_sync(~0u, top, i));
  top = top == -infinity() ? 0.0f : top;
  float sum = exp2_of((own - top) * to_base2);
  for (int32_t s = lane + lanes; s < states.count; s += lanes) {
    sum += exp2_of((states.lse(s) - top) * to_base2);
  }
#pragma unroll
  for (int i = lanes / 2; i > 0; i /= 2) sum += __shfl_xor_sync(~0u, sum, i);
  const float merged = top + log2_approx(sum) * from_base2;
  return {top, __frcp_rn(sum), sum == 0.0f ? -infinity() : merged};
}

template <MergeWarpSpec spec>
struct Sums {
  float of[spec.vectors()][spec.vec];
};

/// States [begin, begin + unroll) that exist, as they lie in memory.
template <MergeWarpSpec spec>
struct StateBatch {
  static constexpr int kBytes = spec.vec * size_of(spec.dtype);
  Raw<kBytes> o[spec.unroll][spec.vectors()];
  float lse[spec.unroll];

  __device__ __forceinline__ void load(const States& states, int32_t begin, int32_t lane) {
#pragma unroll
    for (int i = 0; i < spec.unroll; ++i) {
      const bool exists = begin + i < states.count;
      lse[i] = exists ? states.lse(begin + i) : -infinity();
#pragma unroll
      for (int v = 0; v < spec.vectors(); ++v) {
        const int32_t at = (lane + v * spec.lanes()) * spec.vec;
        if (!exists || at >= spec.head_dim) continue;
        o[i][v] = load_raw<kBytes>(states.o(begin + i) + at * size_of(spec.dtype));
      }
    }
  }

  /// In ascending order; a state whose lse is -inf is left out, whatever its o holds.
  __device__ __forceinline__ void fold(const Totals& t, float to_base2, Sums<spec>& sums) const {
#pragma unroll
    for (int i = 0; i < spec.unroll; ++i) {
      if (lse[i] == -infinity()) continue;
      const float weight = exp2_of((lse[i] - t.top) * to_base2) * t.inverse;
#pragma unroll
      for (int v = 0; v < spec.vectors(); ++v) {
        float x[spec.vec];
        to_f32<spec.dtype, spec.vec>(o[i][v], x);
#pragma unroll
        for (int d = 0; d < spec.vec; ++d) sums.of[v][d] += weight * x[d];
      }
    }
  }
};

/// The states of item `i` of the n * num_heads there are; one that is beyond them has none.
__device__ __forceinline__ States states_of(const MergeParams& p, int64_t row, int32_t head,
                                            int32_t size, bool exists) {
  States s{};
  if (!exists) return s;
  s.count = p.mask != nullptr && p.mask[row] == 0 ? min_of(p.num_states, 1) : p.num_states;
  s.first = static_cast<const char*>(p.o_first) +
            (row * p.o_first_stride_row + head * p.o_first_stride_head) * size;
  s.rest = static_cast<const char*>(p.o_rest) +
           (row * p.o_rest_stride_row + head * p.o_rest_stride_head) * size;
  s.rest_stride = p.o_rest_stride_state * size;
  s.lse_first = p.lse_first + row * p.lse_first_stride_row + head;
  s.lse_rest = p.lse_rest + row * p.lse_rest_stride_row + head;
  s.lse_rest_stride = p.lse_rest_stride_state;
  return s;
}

}  // namespace merge_kernel

/// REQUIRES: spec.num_threads threads a CTA; n * num_heads < 2^31, spec.lanes() lanes for each.
template <MergeWarpSpec spec>
__device__ __forceinline__ void merge_states(const MergeParams& p) {
  using namespace merge_kernel;
  constexpr int kLanes = spec.lanes(), kVectors = spec.vectors();
  griddep_launch_dependents();
  const uint32_t item = blockIdx.x * (spec.num_threads / kLanes) + threadIdx.x / kLanes;
  const int32_t lane = static_cast<int32_t>(threadIdx.x) % kLanes;
  const uint32_t row = item / static_cast<uint32_t>(p.num_heads);
  const int32_t head = static_cast<int32_t>(item - row * static_cast<uint32_t>(p.num_heads));
  const bool exists = row < p.n;  // all lanes stay for the shuffles
  griddep_wait();
  const States states = states_of(p, row, head, size_of(spec.dtype), exists);
  StateBatch<spec> batch;
  batch.load(states, 0, lane);  // on its way while the weights are made
  const Totals t = totals<kLanes>(states, lane, p.to_base2, p.from_base2);
  Sums<spec> sums{};
  for (int32_t s = 0; s < states.count;) {
    batch.fold(t, p.to_base2, sums);
    s += spec.unroll;
    batch.load(states, s, lane);
  }
  __syncwarp();  // the outputs may be a state's own memory: all of it has been read
  if (!exists) return;
  char* const o = static_cast<char*>(p.o) +
                  (row * p.o_stride_row + head * p.o_stride_head) * size_of(spec.dtype_o);
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    const int32_t at = (lane + v * kLanes) * spec.vec;
    if (at >= spec.head_dim) continue;
    store_raw(o + at * size_of(spec.dtype_o), from_f32<spec.dtype_o, spec.vec>(sums.of[v]));
  }
  if (lane == 0 && p.lse != nullptr) p.lse[row * p.lse_stride_row + head] = t.lse;
}

}  // namespace weft
