// SPDX-License-Identifier: Apache-2.0
// RoPE on rows of a tile in shared memory, in place. Angles are kernels/core/rope.h's binary
// fractions of a turn, whose table is made while the kernel is compiled; cosine and sine come from
// the special-function unit, whose error of 5e-7 is far below that of a 16-bit element.
#pragma once

#include "kernels/core/rope_table.h"
#include "kernels/ptx/convert.cuh"
#include "kernels/ptx/shared.cuh"
#include "kernels/tile/rows.h"

namespace weft {

template <Rope rope, int head_dim>
__device__ const RopeTable<rope_dim(rope, head_dim) / 2> kRopeTurns =
    RopeTable<rope_dim(rope, head_dim) / 2>::of(rope);

template <Rope rope, int head_dim, DType dtype>
struct TileRotation {
  static constexpr int32_t kDim = rope_dim(rope, head_dim);
  static constexpr int32_t kPairs = kDim / 2;

  __device__ static __forceinline__ uint64_t turns(int32_t pair) {
    return kRopeTurns<rope, head_dim>.turns[pair];
  }

  __device__ static __forceinline__ uint32_t address(TileRows rows, uint32_t tile, int32_t row,
                                                     int32_t element) {
    return tile + rows.at(row, element / 8) + element % 8 * 2;
  }

  /// Turns one pair of a row by `angle`, in units of 2^-32 turn.
  __device__ static __forceinline__ void rotate_pair(TileRows rows, uint32_t tile, int32_t row,
                                                     int32_t pair, uint32_t angle) {
    const RopePair e = rope_pair(rope.mode, kDim, pair);
    const uint32_t first = address(rows, tile, row, e.first);
    const uint32_t second = address(rows, tile, row, e.second);
    float a = widen<dtype>(load_shared_u16(first));
    float b = widen<dtype>(load_shared_u16(second));
    const float x = static_cast<float>(static_cast<int32_t>(angle)) * kRopeRadians;
    rope_rotate(a, b, {cos_approx(x), sin_approx(x)});
    store_shared(first, narrow<dtype>(a));
    store_shared(second, narrow<dtype>(b));
  }

  /// Turns kRows rows whose first one stands at `position`. By one warp.
  template <int32_t kRows>
  __device__ static __forceinline__ void rotate_rows(TileRows rows, uint32_t tile,
                                                     int32_t position) {
#pragma unroll
    for (int32_t i = 0; i < kPairs; i += 32) {
      const int32_t pair = i + static_cast<int32_t>(threadIdx.x % 32);
      if (kPairs % 32 != 0 && pair >= kPairs) break;
      const uint64_t step = turns(pair);
      uint64_t angle = step * static_cast<uint64_t>(position);
#pragma unroll 4
      for (int32_t row = 0; row < kRows; ++row, angle += step) {
        rotate_pair(rows, tile, row, pair, static_cast<uint32_t>(angle >> 32));
      }
    }
  }
};

}  // namespace weft
