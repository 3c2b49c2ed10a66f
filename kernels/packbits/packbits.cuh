// SPDX-License-Identifier: Apache-2.0
// pack_bits: a thread a byte. Bound by memory: eight elements are one load where they are aligned.
#pragma once

#include "kernels/packbits/params.h"
#include "kernels/ptx/griddep.cuh"
#include "kernels/tile/elements.cuh"
#include "kernels/tile/no_smem.h"

namespace weft {

template <PackBitsSpec spec>
__device__ __forceinline__ void pack_bits(const PackBitsParams& p) {
  griddep_launch_dependents();
  const int64_t byte = int64_t{blockIdx.x} * spec.num_threads + threadIdx.x;
  if (byte >= p.num_bytes) return;
  griddep_wait();
  const ByteRange range = elements_of_byte(p, byte);
  const bool whole = p.indptr == nullptr;
  if (range.begin >= range.end && !whole) return;
  uint32_t bits = 0;
  if (spec.vec == 8 && range.end - range.begin == 8) {
    const Raw<8> raw = load_raw<8>(p.x + range.begin);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      if ((raw.word[i / 4] >> (8 * (i % 4)) & 0xffu) != 0) bits |= bit_of(spec.order, i);
    }
  } else {
    for (int64_t i = range.begin; i < range.end; ++i) {
      if (p.x[i] != 0) bits |= bit_of(spec.order, static_cast<int>(i - range.begin));
    }
  }
  p.out[byte] = static_cast<uint8_t>(bits);
}

}  // namespace weft
