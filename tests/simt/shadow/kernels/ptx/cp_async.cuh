// SPDX-License-Identifier: Apache-2.0
// kernels/ptx/cp_async.cuh on the host.
#pragma once

#include "tests/simt/simt.h"

namespace weft {

inline void prefetch_l2(const void*) {}

inline uint64_t l2_evict_first() { return 0; }
inline uint64_t l2_evict_normal() { return 0; }
inline void cp_async16(uint32_t to, const void* from, uint64_t) {
  if (reinterpret_cast<uintptr_t>(from) % 16 != 0) throw std::runtime_error("misaligned copy");
  simt::copy_later(to, from, 16, 0);
}
inline void cp_async16_or_zero(uint32_t to, const void* from, uint64_t policy, bool copy) {
  if (copy) return cp_async16(to, from, policy);
  simt::copy_later(to, from, 0, 16);
}
inline void cp_async_commit() { simt::commit_copies(); }
template <int kPending>
void cp_async_wait() {
  simt::wait_copies(kPending);
}

}  // namespace weft
