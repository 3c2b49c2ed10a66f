// SPDX-License-Identifier: Apache-2.0
// kernels/ptx/tma.cuh on the host. A map's first word is the address of its TensorMapShape.
#pragma once

#include <array>

#include "kernels/ptx/mbarrier.cuh"
#include "src/cuda/tensor_map.h"

namespace weft {

inline void tma_prefetch_map(const TensorMap&) {}

/// Copies a box of 16-bit elements with the 128-byte swizzle; returns its bytes.
inline int64_t copy_box(uint32_t to, const TensorMapShape& shape, std::array<int64_t, 5> corner) {
  int64_t count = 1;
  for (int d = 0; d < shape.rank; ++d) count *= shape.box[static_cast<size_t>(d)];
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i, offset = 0;
    bool inside = true;
    for (size_t d = 0; d < static_cast<size_t>(shape.rank); ++d) {
      const int64_t x = corner[d] + rest % shape.box[d];
      rest /= shape.box[d];
      inside &= x >= 0 && x < static_cast<int64_t>(shape.sizes[d]);
      offset += x * (d == 0 ? 2 : static_cast<int64_t>(shape.strides[d]));
    }
    uint16_t bits = 0;
    if (inside) std::memcpy(&bits, static_cast<const char*>(shape.data) + offset, 2);
    const uint32_t at = to + static_cast<uint32_t>(2 * i);
    std::memcpy(simt::shared(at ^ ((at >> 3) & 0x70), 2), &bits, 2);
  }
  return 2 * count;
}

template <class... X>
void tma_load(uint32_t to, const TensorMap& map, uint32_t barrier, X... x) {
  const auto* shape = reinterpret_cast<const TensorMapShape*>(map.words[0]);
  if (shape->rank != static_cast<int>(sizeof...(x))) throw std::runtime_error("rank of a box");
  const std::array<int64_t, 5> corner{x...};
  simt::phase_barriers().at(barrier).copies.push_back([=] { return copy_box(to, *shape, corner); });
}

}  // namespace weft
