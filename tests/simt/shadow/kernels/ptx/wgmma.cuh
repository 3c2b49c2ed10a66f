// SPDX-License-Identifier: Apache-2.0
// kernels/ptx/wgmma.cuh on the host. Products are done when they are waited for, and no sooner: a
// thread that reads its accumulator early reads what was there.
#pragma once

#include <deque>
#include <map>
#include <vector>

#include "kernels/ptx/convert.cuh"
#include "tests/simt/simt.h"

namespace weft {
namespace simt {

using Products = std::vector<std::function<void()>>;

struct WgmmaQueue {
  Products open;
  std::deque<Products> groups;
};

/// Of this thread. A kernel leaves it empty.
inline WgmmaQueue& wgmma_queue() {
  static std::map<unsigned, WgmmaQueue> all;
  return all[threadIdx.x];
}

/// Element (line, k) of an operand behind a descriptor; lines are rows of A or columns of B.
template <DType kType>
float operand(uint64_t descriptor, bool across, int line, int k) {
  const auto field = [&](int bit) {
    return static_cast<uint32_t>(descriptor >> bit & 0x3fff) << 4;
  };
  const uint64_t swizzle = descriptor >> 62;
  const uint32_t span = swizzle == 1 ? 128 : swizzle == 2 ? 64 : 32;
  const auto l = static_cast<uint32_t>(line), depth = static_cast<uint32_t>(k);
  const uint32_t at = across ? field(0) + l / (span / 2) * field(16) + l % (span / 2) * 2 +
                                   depth / 8 * field(32) + depth % 8 * span
                             : field(0) + l / 8 * field(32) + l % 8 * span + depth * 2;
  uint16_t bits;
  std::memcpy(&bits, shared(at ^ ((at >> 3) & (span - 16)), 2), 2);
  return widen<kType>(bits);
}

}  // namespace simt

inline void wgmma_fence() {}
inline void wgmma_commit() {
  simt::wgmma_queue().groups.push_back(std::exchange(simt::wgmma_queue().open, {}));
}
template <int kPending>
void wgmma_wait() {
  simt::WgmmaQueue& queue = simt::wgmma_queue();
  for (; static_cast<int>(queue.groups.size()) > kPending; queue.groups.pop_front()) {
    for (const auto& product : queue.groups.front()) product();
  }
}
template <int n>
void pin_registers(float (&)[n]) {}

template <int kColumns>
struct Wgmma {
  using D = float[kColumns / 2];

  /// `rows`: this thread's two rows of A, 16 along K each.
  template <DType kType>
  static void multiply(D& d, const float (&rows)[2][16], uint64_t b, bool across, int keep) {
    const int column = static_cast<int>(threadIdx.x % 4) * 2;
    for (int j = 0; j < kColumns / 4; ++j) {
      float values[16];
      for (int k = 0; k < 16; ++k) {
        values[k] = simt::operand<kType>(b, across, column + j / 2 * 8 + j % 2, k);
      }
      for (int half = 0; half < 2; ++half) {
        float& x = d[j / 2 * 4 + half * 2 + j % 2];
        if (keep == 0) x = 0.0f;
        for (int k = 0; k < 16; ++k) x += rows[half][k] * values[k];
      }
    }
  }

  template <DType kType, int kTransB>
  static void from_smem(D& d, uint64_t a, uint64_t b, int keep) {
    simt::wgmma_queue().open.push_back([&d, a, b, keep] {
      const int row =
          static_cast<int>(threadIdx.x % 128) / 32 * 16 + static_cast<int>(threadIdx.x % 32) / 4;
      float rows[2][16];
      for (int half = 0; half < 2; ++half) {
        for (int k = 0; k < 16; ++k) {
          rows[half][k] = simt::operand<kType>(a, false, row + 8 * half, k);
        }
      }
      multiply<kType>(d, rows, b, kTransB != 0, keep);
    });
  }

  template <DType kType, int kTransB>
  static void from_registers(D& d, const uint32_t* a, uint64_t b, int keep) {
    const std::array<uint32_t, 4> mine{a[0], a[1], a[2], a[3]};
    simt::wgmma_queue().open.push_back([&d, mine, b, keep] {
      const char* all = simt::exchange(mine.data(), 16);
      float rows[2][16];
      for (int half = 0; half < 2; ++half) {
        for (int k = 0; k < 16; ++k) {
          const int lane = static_cast<int>(threadIdx.x % 32) / 4 * 4 + k % 8 / 2;
          uint16_t bits;
          std::memcpy(&bits, all + 32 * lane + 4 * (k / 8 * 2 + half) + k % 2 * 2, 2);
          rows[half][k] = widen<kType>(bits);
        }
      }
      multiply<kType>(d, rows, b, kTransB != 0, keep);
    });
  }
};

}  // namespace weft
