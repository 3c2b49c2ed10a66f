// SPDX-License-Identifier: Apache-2.0
// Descriptors by which wgmma finds an operand in shared memory (PTX ISA, matrix descriptor format):
// a SwizzledTile read along its rows, or across them. Portable arithmetic; what the tensor cores do
// with it is tested in tests/gpu/tiles_test.cc.
#pragma once

#include "kernels/tile/swizzled_tile.h"

namespace weft {

/// Fields count 16 bytes: address at bit 0, leading offset at 16, stride offset at 32; the swizzle
/// stands at 62.
WEFT_HD constexpr uint64_t wgmma_descriptor(uint32_t address, uint32_t leading, uint32_t stride,
                                            int32_t span) {
  const uint64_t swizzle = span == 128 ? 1 : span == 64 ? 2 : span == 32 ? 3 : 0;
  return uint64_t{(address >> 4) & 0x3fff} | uint64_t{leading >> 4} << 16 |
         uint64_t{stride >> 4} << 32 | swizzle << 62;
}

/// What to add to a descriptor to move it by `bytes`. The address field never overflows: shared
/// memory ends below 2^18.
WEFT_HD constexpr uint64_t wgmma_offset(int32_t bytes) { return static_cast<uint64_t>(bytes >> 4); }

/// Rows of the tile are rows (A) or columns (B) of the product, its columns run along K: queries
/// and keys. A step of 16 along K moves by `k_step(tile, step)`.
struct AlongRows {
  WEFT_HD static constexpr uint64_t descriptor(SwizzledTile t, uint32_t address) {
    // Bands of 8 rows follow each other; within a swizzle span nothing is strided.
    return wgmma_descriptor(address, 16, static_cast<uint32_t>(t.band_stride()), t.span);
  }
  WEFT_HD static constexpr int32_t k_step(SwizzledTile t, int32_t step) {
    const int32_t per_slice = t.slice_columns() / 16;
    return step / per_slice * t.slice_stride() + step % per_slice * 32;
  }
};

/// Rows of the tile run along K, its columns are columns of B: values.
struct AcrossRows {
  WEFT_HD static constexpr uint64_t descriptor(SwizzledTile t, uint32_t address) {
    // From slice to slice along N, from 8 rows to the next 8 along K.
    return wgmma_descriptor(address, static_cast<uint32_t>(t.slice_stride()),
                            static_cast<uint32_t>(t.band_stride()), t.span);
  }
  WEFT_HD static constexpr int32_t k_step(SwizzledTile t, int32_t step) {
    return step * 2 * t.band_stride();
  }
};

}  // namespace weft
