// SPDX-License-Identifier: Apache-2.0
// What a topk kernel searches, and how a position becomes a result. Used by all ways past a row.
#pragma once

#include "kernels/sampling/stream_row.cuh"
#include "kernels/topk/params.h"
#include "kernels/topk/smem.h"

namespace weft {
namespace topk_kernel {

template <TopkRowSpec spec>
using Values =
    typename ValuesOf<spec.slices.kept, ReadValues<spec.dtype, spec.vec, false, true>>::Type;
template <TopkRowSpec spec>
using Search = RowSearch<spec.slices, false, Values<spec>>;

/// Of what NaN and -infinity rank with.
inline constexpr uint32_t kLowestKey = 0x00800000u;

/// One row's place in the outputs.
template <TopkRowSpec spec>
struct TopkResult {
  static constexpr int kSize = size_of(spec.dtype);

  const TopkParams& p;
  const TopkRow& row;
  int64_t i;

  __device__ __forceinline__ char* value_at(int32_t slot) const {
    return static_cast<char*>(p.values) + (i * p.values_stride + slot) * kSize;
  }
  __device__ __forceinline__ void put_index(int32_t slot, int32_t at) const {
    p.indices[i * p.indices_stride + slot] = topk_index(p, row, i, at);
  }

  /// Position `at` as number `slot`.
  __device__ __forceinline__ void put(int32_t slot, int32_t at) const {
    put_index(slot, at);
    if (p.values == nullptr) return;
    const int64_t from = i * p.input_stride + row.start + at;
    store_raw(value_at(slot), load_raw<kSize>(static_cast<const char*>(p.input) + from * kSize));
  }
  /// The same where the value is at hand. A NaN of 16 bits may have been another one.
  __device__ __forceinline__ void put(int32_t slot, int32_t at, float z) const {
    if (size_of(spec.dtype) < 4 && z != z) return put(slot, at);
    put_index(slot, at);
    const float value[1] = {z};
    if (p.values != nullptr) store_raw(value_at(slot), from_f32<spec.dtype, 1>(value));
  }
  /// The same of a key. Of some a value is not known: 0 is -0 too, and the largest and the lowest
  /// stand for what is beyond them.
  __device__ __forceinline__ void put(int32_t slot, uint64_t entry) const {
    const auto key = static_cast<uint32_t>(entry >> 32);
    const int32_t at = position_of(entry);
    const float z = value_of(key);
    if (key == kLowestKey || z == 0.0f || z == kLargest) return put(slot, at);
    put(slot, at, z);
  }
  /// What a row that is too short has there.
  __device__ __forceinline__ void put_nothing(int32_t slot) const {
    p.indices[i * p.indices_stride + slot] = -1;
    const float nothing[1] = {-__int_as_float(0x7f800000)};
    if (p.values != nullptr) store_raw(value_at(slot), from_f32<spec.dtype, 1>(nothing));
  }
};

/// Entries in shared memory, the largest first.
template <TopkRowSpec spec>
__device__ __forceinline__ void sort_entries(uint32_t entries, uint32_t number) {
  uint32_t size = 2;
  while (size < number) size *= 2;
  for (uint32_t i = number + threadIdx.x; i < size; i += spec.slices.num_threads) {
    store_shared(entries + 8 * i, uint64_t{0});
  }
  __syncthreads();
#pragma unroll 1
  for (uint32_t run = 2; run <= size; run *= 2) {
#pragma unroll 1
    for (uint32_t step = run / 2; step > 0; step /= 2) {
      for (uint32_t pair = threadIdx.x; pair < size / 2; pair += spec.slices.num_threads) {
        const uint32_t low = 2 * pair - (pair & (step - 1)), high = low + step;
        const uint64_t a = load_shared_u64(entries + 8 * low);
        const uint64_t b = load_shared_u64(entries + 8 * high);
        if ((a < b) != ((low & run) == 0)) continue;
        store_shared(entries + 8 * low, b);
        store_shared(entries + 8 * high, a);
      }
      // A warp's pairs are neighbours: what they swap up to 32 apart no other warp sees, nor did.
      const uint32_t next = step > 1 ? step / 2 : run;
      if (max_of(step, next) > 32) {
        __syncthreads();
      } else {
        __syncwarp();
      }
    }
  }
  __syncthreads();
}

}  // namespace topk_kernel
}  // namespace weft
