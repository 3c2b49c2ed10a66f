// SPDX-License-Identifier: Apache-2.0
// How much of a row is looked at before its floor is set, and which rank of what was seen there is
// the floor: so that with near certainty the k largest values of the row reach it and not many
// more. Portable, because tests count what passes.
#pragma once

#include "kernels/core/base.h"

namespace weft {

/// Threads look at some of their first values each, and know the largest.
struct TopkSample {
  int32_t lanes;   // accesses a thread looks at: 8, 4, 2, 1; 0: its first value alone
  int32_t wanted;  // how many threads' largest values reach the floor

  /// A row of `length` values is dealt to CTAs of `of_cta` each, whose threads read `chunk` values
  /// an access and `vec` of them each; a lane is `rounds` chunks. `asked` threads of all CTAs are
  /// asked. REQUIRES: k < length.
  WEFT_HD static TopkSample of(int32_t k, int32_t length, int32_t of_cta, int32_t chunk,
                               int32_t vec, int32_t rounds, int32_t asked) {
    // A thread that looks at s values has one of the k largest with 1 - (1 - k / length)^s: most is
    // told by s = 1.6 length / k. A lane that a CTA has less than half of tells nothing.
    int32_t lanes = 8;
    while (lanes > 0 && (4 * lanes * vec * k > 5 * length ||
                         ((8 - 8 / lanes) * rounds + rounds / 2) * chunk + chunk / 2 > of_cta)) {
      lanes /= 2;
    }
    const float none = 1.0f - static_cast<float>(k) / static_cast<float>(length);
    float all_none = none;
    for (int32_t s = 1; s < lanes * vec; s *= 2) all_none *= all_none;
    // That many of 512 threads is 11 off at most, once in three: five times that.
    const float expected = (1.0f - all_none) * static_cast<float>(asked);
    return {lanes, static_cast<int32_t>(expected) + 25 + asked / 20};
  }
};

}  // namespace weft
