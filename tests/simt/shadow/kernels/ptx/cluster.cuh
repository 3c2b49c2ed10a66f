// SPDX-License-Identifier: Apache-2.0
// kernels/ptx/cluster.cuh on the host. A peer's address carries its rank in the upper bits.
#pragma once

#include "kernels/core/base.h"
#include "tests/simt/simt.h"

namespace weft {

inline uint32_t cluster_rank() { return static_cast<uint32_t>(simt::cluster_rank()); }
inline void cluster_sync() { simt::meet_cluster(); }
inline void cluster_arrive() { simt::arrive_cluster(); }
inline void cluster_wait() { simt::wait_cluster(); }
inline uint32_t peer_address(uint32_t address, uint32_t rank) { return address | rank << 24; }

inline char* at_peer(uint32_t at, int bytes) {
  return simt::peer_shared(static_cast<int>(at >> 24), at & 0xffffff, bytes);
}
inline uint32_t load_peer_u32(uint32_t at) {
  uint32_t x;
  std::memcpy(&x, at_peer(at, 4), 4);
  return x;
}
inline uint64_t load_peer_u64(uint32_t at) {
  uint64_t x;
  std::memcpy(&x, at_peer(at, 8), 8);
  return x;
}
inline uint4 load_peer_u32x4(uint32_t at) {
  return {load_peer_u32(at), load_peer_u32(at + 4), load_peer_u32(at + 8), load_peer_u32(at + 12)};
}
inline void store_peer(uint32_t at, uint64_t x) { std::memcpy(at_peer(at, 8), &x, 8); }
inline uint32_t fetch_add_peer(uint32_t at, uint32_t x) {
  const uint32_t before = load_peer_u32(at), after = before + x;
  std::memcpy(at_peer(at, 4), &after, 4);
  return before;
}

}  // namespace weft
