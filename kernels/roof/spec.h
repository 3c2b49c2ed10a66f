// SPDX-License-Identifier: Apache-2.0
// PagedReadSpec: what is fixed of the kernel that only reads a paged cache, to find what any
// attention kernel over it could reach.
#pragma once

#include "kernels/core/base.h"

namespace weft {

struct PagedReadSpec {
  int32_t row_bytes = 256;  // of one head's K row and V row
  int32_t tile_rows = 64;   // of a stage
  int32_t num_stages = 3;
  int32_t num_threads = 128;
  int32_t ctas_per_sm = 2;

  bool operator==(const PagedReadSpec&) const = default;
};

struct PagedReadSmem {
  int32_t bytes;
  WEFT_HD static constexpr PagedReadSmem of(const PagedReadSpec& s) {
    return {s.num_stages * s.tile_rows * 2 * s.row_bytes};
  }
};

}  // namespace weft
