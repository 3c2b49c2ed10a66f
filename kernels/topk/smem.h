// SPDX-License-Identifier: Apache-2.0
// TopkSmem: the shared memory of the topk kernel: that of the search, whose lists hold the result
// while it is sorted.
#pragma once

#include "kernels/sampling/smem.h"
#include "kernels/topk/spec.h"

namespace weft {

struct TopkSmem {
  int32_t bytes = 0;

  WEFT_HD static constexpr TopkSmem of(const TopkRowSpec& s) {
    static_assert(2 * kSearchKeys * 4 >= kMostTopk * 8);
    return {SearchSmem::of(s.slices).bytes};
  }
};

}  // namespace weft
