// SPDX-License-Identifier: Apache-2.0
// A ring of shared-memory slots between a producer and its consumers: each slot has a barrier that
// says full and one that says empty. A position walks the slots and knows the parity to wait for;
// both sides walk alone and meet only at the barriers.
#pragma once

#include "kernels/ptx/mbarrier.cuh"

namespace weft {

/// The barriers of a ring: `full` of each slot, then `empty` of each, 8 bytes each.
struct Ring {
  uint32_t barriers = 0;  // shared-memory address
  int32_t slots = 0;

  static constexpr WEFT_HD int32_t bytes(int32_t slots) { return 16 * slots; }

  __device__ __forceinline__ uint32_t full(int32_t slot) const { return barriers + 8 * slot; }
  __device__ __forceinline__ uint32_t empty(int32_t slot) const {
    return barriers + 8 * (slots + slot);
  }
  /// By one thread. `consumers`: arrivals that empty a slot; `producers`: those that fill it.
  __device__ __forceinline__ void init(uint32_t consumers, uint32_t producers = 1) const {
    for (int32_t i = 0; i < slots; ++i) {
      mbarrier_init(full(i), producers);
      mbarrier_init(empty(i), consumers);
    }
  }
};

/// Where one side stands in a ring.
struct RingPosition {
  int32_t slot = 0;
  uint32_t parity = 0;

  __device__ __forceinline__ void advance(const Ring& ring) {
    if (++slot == ring.slots) {
      slot = 0;
      parity ^= 1;
    }
  }
};

__device__ __forceinline__ void wait_full(const Ring& ring, const RingPosition& at) {
  mbarrier_wait(ring.full(at.slot), at.parity);
}

/// All slots begin empty: the wait for the phase before the first returns at once.
__device__ __forceinline__ void wait_empty(const Ring& ring, const RingPosition& at) {
  mbarrier_wait(ring.empty(at.slot), at.parity ^ 1);
}

}  // namespace weft
