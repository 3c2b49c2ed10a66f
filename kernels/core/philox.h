// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10: random numbers from a counter and a key, the same on every device, with no state.
// Source: Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011.
#pragma once

#include "kernels/core/base.h"

namespace weft {

struct PhiloxBlock {
  uint32_t x[4];
};

/// The block of random words that belongs to (key, counter).
WEFT_HD PhiloxBlock philox(uint64_t key, uint64_t counter_low, uint64_t counter_high) {
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  PhiloxBlock c{{static_cast<uint32_t>(counter_low), static_cast<uint32_t>(counter_low >> 32),
                 static_cast<uint32_t>(counter_high), static_cast<uint32_t>(counter_high >> 32)}};
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53u} * c.x[0], b = uint64_t{0xCD9E8D57u} * c.x[2];
    c = {{static_cast<uint32_t>(b >> 32) ^ c.x[1] ^ k0, static_cast<uint32_t>(b),
          static_cast<uint32_t>(a >> 32) ^ c.x[3] ^ k1, static_cast<uint32_t>(a)}};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

/// 64 random bits: the first two words of draw `index` of (seed, offset). Draws of one row differ
/// in `index` alone.
WEFT_HD uint64_t random_bits(uint64_t seed, uint64_t offset, uint64_t index) {
  const PhiloxBlock block = philox(seed, offset, index);
  return uint64_t{block.x[1]} << 32 | block.x[0];
}

}  // namespace weft
