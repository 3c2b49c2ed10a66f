// SPDX-License-Identifier: Apache-2.0
// The bulk copy engine: boxes of a tensor into shared memory (PTX ISA, cp.async.bulk.tensor;
// sm_90). A tensor map (src/cuda/tensor_map.h) says the shape, the box and the swizzle; coordinates
// count elements from the tensor's origin, dense dimension first. What lies outside the tensor
// arrives as zeros and counts as bytes all the same. One thread issues a box.
#pragma once

#include "kernels/core/tensor_map.h"

namespace weft {

/// Fetches the map itself ahead of its first use.
__device__ __forceinline__ void tma_prefetch_map(const TensorMap& map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

__device__ __forceinline__ void tma_load(uint32_t to, const TensorMap& map, uint32_t barrier,
                                         int32_t x0, int32_t x1) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
      " [%0], [%1, {%3, %4}], [%2];" ::"r"(to),
      "l"(&map), "r"(barrier), "r"(x0), "r"(x1)
      : "memory");
}

__device__ __forceinline__ void tma_load(uint32_t to, const TensorMap& map, uint32_t barrier,
                                         int32_t x0, int32_t x1, int32_t x2) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes"
      " [%0], [%1, {%3, %4, %5}], [%2];" ::"r"(to),
      "l"(&map), "r"(barrier), "r"(x0), "r"(x1), "r"(x2)
      : "memory");
}

__device__ __forceinline__ void tma_load(uint32_t to, const TensorMap& map, uint32_t barrier,
                                         int32_t x0, int32_t x1, int32_t x2, int32_t x3) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes"
      " [%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(to),
      "l"(&map), "r"(barrier), "r"(x0), "r"(x1), "r"(x2), "r"(x3)
      : "memory");
}

__device__ __forceinline__ void tma_load(uint32_t to, const TensorMap& map, uint32_t barrier,
                                         int32_t x0, int32_t x1, int32_t x2, int32_t x3,
                                         int32_t x4) {
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes"
      " [%0], [%1, {%3, %4, %5, %6, %7}], [%2];" ::"r"(to),
      "l"(&map), "r"(barrier), "r"(x0), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
      : "memory");
}

}  // namespace weft
