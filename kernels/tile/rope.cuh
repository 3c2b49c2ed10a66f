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

  /// Fills the table of turns in shared memory: `count` of them, zeros behind the last pair's. By
  /// kThreads threads, who meet before anyone reads it.
  template <int32_t kThreads>
  __device__ static __forceinline__ void fill_turns(uint32_t table, int32_t count) {
    for (int32_t i = threadIdx.x; i < count; i += kThreads) {
      store_shared(table + i * 8, i < kPairs ? kRopeTurns<rope, head_dim>.turns[i] : uint64_t{0});
    }
  }

  __device__ static __forceinline__ CosSin cos_sin(uint32_t angle) {
    const float x = static_cast<float>(static_cast<int32_t>(angle)) * kRopeRadians;
    return {cos_approx(x), sin_approx(x)};
  }

  /// Turns an element pair in each half of two words: (a.low, b.low) by `low`, (a.high, b.high) by
  /// `high`.
  __device__ static __forceinline__ void rotate_words(uint32_t& a, uint32_t& b, CosSin low,
                                                      CosSin high) {
    float a0, a1, b0, b1;
    unpack2<dtype>(a, a0, a1);
    unpack2<dtype>(b, b0, b1);
    rope_rotate(a0, b0, low);
    rope_rotate(a1, b1, high);
    a = pack2<dtype>(a0, a1);
    b = pack2<dtype>(b0, b1);
  }

  /// Turns the pair of a word's two halves.
  __device__ static __forceinline__ void rotate_word(uint32_t& a, CosSin w) {
    float a0, a1;
    unpack2<dtype>(a, a0, a1);
    rope_rotate(a0, a1, w);
    a = pack2<dtype>(a0, a1);
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
    rope_rotate(a, b, cos_sin(angle));
    store_shared(first, narrow<dtype>(a));
    store_shared(second, narrow<dtype>(b));
  }

  /// Turns kRows rows whose first one stands at `position`. By one warp.
  template <int32_t kRows>
  __device__ static __forceinline__ void rotate_rows(TileRows rows, uint32_t tile, uint32_t table,
                                                     int32_t position) {
#pragma unroll
    for (int32_t i = 0; i < kPairs; i += 32) {
      const int32_t pair = i + static_cast<int32_t>(threadIdx.x % 32);
      if (kPairs % 32 != 0 && pair >= kPairs) break;
      const uint64_t step = load_shared_u64(table + pair * 8);
      uint64_t angle = step * static_cast<uint64_t>(position);
#pragma unroll 4
      for (int32_t row = 0; row < kRows; ++row, angle += step) {
        rotate_pair(rows, tile, row, pair, static_cast<uint32_t>(angle >> 32));
      }
    }
  }
};

}  // namespace weft
