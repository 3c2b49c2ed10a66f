// SPDX-License-Identifier: Apache-2.0
// kernels/ptx/shared_atomic.cuh on the host, where threads take turns.
#pragma once

#include "kernels/core/base.h"
#include "tests/simt/simt.h"

namespace weft {

inline uint32_t fetch_add_shared(uint32_t at, uint32_t x) {
  uint32_t before;
  std::memcpy(&before, simt::shared(at, 4), 4);
  const uint32_t after = before + x;
  std::memcpy(simt::shared(at, 4), &after, 4);
  return before;
}
inline void add_shared(uint32_t at, uint32_t x) { fetch_add_shared(at, x); }

}  // namespace weft
