// SPDX-License-Identifier: Apache-2.0
// Lays out fixed-capacity arrays in one block of memory: sizes first, addresses later. Pure
// arithmetic; used by every operator that keeps plan buffers or scratch in a workspace.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft {

/// Every array starts on its own cache line pair, so that no two workers share one.
inline constexpr size_t kArenaAlign = 128;

/// Alignment asked of a caller's workspace.
inline constexpr size_t kWorkspaceAlign = 64;

/// An array of `count` T at a fixed offset of the block.
template <class T>
struct ArenaArray {
  size_t offset = 0;
  size_t count = 0;
  T* in(void* base) const { return reinterpret_cast<T*>(static_cast<char*>(base) + offset); }
};

class Arena {
 public:
  template <class T>
  ArenaArray<T> take(size_t count) {
    const ArenaArray<T> array{bytes_, count};
    bytes_ = (bytes_ + count * sizeof(T) + kArenaAlign - 1) / kArenaAlign * kArenaAlign;
    return array;
  }
  size_t bytes() const { return bytes_; }

 private:
  size_t bytes_ = 0;
};

}  // namespace weft
