// SPDX-License-Identifier: Apache-2.0
// kernels/ptx/mbarrier.cuh on the host. What the copy engine brings lands when somebody waits for
// it, and no sooner.
#pragma once

#include <map>
#include <vector>

#include "kernels/core/base.h"
#include "tests/simt/simt.h"

namespace weft {
namespace simt {

struct PhaseBarrier {
  int64_t arrivals = 0;  // of a phase
  int64_t left = 0;
  int64_t bytes = 0;  // announced and not here
  int64_t phase = 0;
  std::vector<std::function<int64_t()>> copies;  // each gives its bytes

  void settle() {
    if (left != 0 || bytes != 0) return;
    left = arrivals;
    ++phase;
  }
  void land() {
    for (const auto& copy : std::exchange(copies, {})) bytes -= copy();
    settle();
  }
};

inline std::map<uint32_t, PhaseBarrier>& phase_barriers() {
  static std::map<uint32_t, PhaseBarrier> all;
  return all;
}

}  // namespace simt

inline char* tile_smem() { return simt::shared(simt::kSharedBase, 1); }
inline uint32_t smem_address(const void* p) {
  return simt::kSharedBase + static_cast<uint32_t>(static_cast<const char*>(p) - tile_smem());
}
inline void mbarrier_init(uint32_t barrier, uint32_t arrivals) {
  simt::shared(barrier, 8);
  simt::phase_barriers()[barrier] = {arrivals, arrivals, 0, 0, {}};
}
inline void mbarrier_fence_init() {}
inline void mbarrier_arrive(uint32_t barrier) {
  simt::PhaseBarrier& b = simt::phase_barriers().at(barrier);
  if (b.left == 0) throw std::runtime_error("an arrival too many");
  --b.left;
  b.settle();
}
inline void mbarrier_arrive_expect(uint32_t barrier, uint32_t bytes) {
  simt::phase_barriers().at(barrier).bytes += bytes;
  mbarrier_arrive(barrier);
}
inline void mbarrier_wait(uint32_t barrier, uint32_t parity) {
  simt::PhaseBarrier& b = simt::phase_barriers().at(barrier);
  simt::wait_until([&b, parity] {
    if (b.phase % 2 == parity) b.land();
    return b.phase % 2 != parity;
  });
}
inline void mbarrier_arrive_behind_copies(uint32_t barrier) {
  simt::PhaseBarrier& b = simt::phase_barriers().at(barrier);
  b.copies.push_back([&b, copy = simt::take_copies()]() -> int64_t {
    copy();
    if (b.left == 0) throw std::runtime_error("an arrival too many");
    --b.left;
    return 0;
  });
}
inline void fence_async_proxy() {}

}  // namespace weft
