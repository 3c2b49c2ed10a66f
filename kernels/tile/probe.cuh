// SPDX-License-Identifier: Apache-2.0
// See probe_spec.h. One warpgroup: copy both tiles in, multiply, write D and the image of B.
#pragma once

#include "kernels/ptx/tma.cuh"
#include "kernels/ptx/wgmma.cuh"
#include "kernels/tile/fragment.cuh"
#include "kernels/tile/probe_spec.h"
#include "kernels/tile/ring.cuh"
#include "kernels/tile/wgmma_operand.h"

namespace weft {

template <TileProbeSpec spec>
__device__ __forceinline__ void probe_load(const TileProbeParams& p, uint32_t smem, Ring ring) {
  constexpr TileProbeSmem kSmem = TileProbeSmem::of(spec);
  constexpr SwizzledTile kA = spec.a_tile();
  constexpr SwizzledTile kB = spec.b_tile();
  mbarrier_arrive_expect(ring.full(0), kA.bytes() + kB.bytes());
  for (int32_t i = 0; i < kA.num_slices(); ++i) {
    tma_load(smem + kSmem.a + i * kA.slice_stride(), p.a_map, ring.full(0), i * kA.slice_columns(),
             0);
  }
  if constexpr (spec.b_banded) {
    tma_load(smem + kSmem.b, p.b_map, ring.full(0), 0, 0, 0, 0, 0);
    return;
  }
  for (int32_t i = 0; i < kB.num_slices(); ++i) {
    tma_load(smem + kSmem.b + i * kB.slice_stride(), p.b_map, ring.full(0), i * kB.slice_columns(),
             0);
  }
}

/// Registers of A for one step of 16 along K, read from the tile as a pack of P would leave them.
template <TileProbeSpec spec>
__device__ __forceinline__ void probe_fragment(const char* a, int32_t step, uint32_t (&regs)[4]) {
  constexpr SwizzledTile kA = spec.a_tile();
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int32_t column = 16 * step + Fragment::column() + Fragment::column_of(2 * i);
    regs[i] = *reinterpret_cast<const uint32_t*>(
        a + kA.at(Fragment::row(Fragment::half_of(2 * i)), column));
  }
}

template <TileProbeSpec spec>
__device__ __forceinline__ void probe_tile(const TileProbeParams& p) {
  char* const smem = tile_smem();
  constexpr TileProbeSmem kSmem = TileProbeSmem::of(spec);
  constexpr SwizzledTile kA = spec.a_tile();
  constexpr SwizzledTile kB = spec.b_tile();
  const uint32_t base = smem_address(smem);
  const Ring ring{base + kSmem.barrier, 1};
  if (threadIdx.x == 0) {
    ring.init(1);
    mbarrier_fence_init();
    probe_load<spec>(p, base, ring);
  }
  __syncthreads();
  wait_full(ring, {});
  float d[spec.columns / 2];
  uint32_t a[spec.depth / 16][4];
#pragma unroll
  for (int32_t step = 0; step < spec.depth / 16; ++step) {
    probe_fragment<spec>(smem + kSmem.a, step, a[step]);
  }
  const uint64_t a_desc = AlongRows::descriptor(kA, base + kSmem.a);
  const uint64_t b_desc = spec.b_across ? AcrossRows::descriptor(kB, base + kSmem.b)
                                        : AlongRows::descriptor(kB, base + kSmem.b);
  wgmma_fence();
#pragma unroll
  for (int32_t step = 0; step < spec.depth / 16; ++step) {
    const uint64_t b = b_desc + wgmma_offset(spec.b_across ? AcrossRows::k_step(kB, step)
                                                           : AlongRows::k_step(kB, step));
    using Product = Wgmma<spec.columns>;
    if constexpr (spec.a_in_registers) {
      Product::template from_registers<spec.dtype, spec.b_across>(d, a[step], b, step > 0);
    } else {
      Product::template from_smem<spec.dtype, spec.b_across>(
          d, a_desc + wgmma_offset(AlongRows::k_step(kA, step)), b, step > 0);
    }
  }
  wgmma_commit();
  wgmma_wait<0>();
  pin_registers(d);
#pragma unroll
  for (int i = 0; i < spec.columns / 2; ++i) {
    const int32_t row = Fragment::row(Fragment::half_of(i));
    p.d[row * spec.columns + Fragment::column() + Fragment::column_of(i)] = d[i];
  }
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < kB.bytes() / 2; i += 128) {
    p.b_image[i] = reinterpret_cast<const uint16_t*>(smem + kSmem.b)[i];
  }
}

}  // namespace weft
