// SPDX-License-Identifier: Apache-2.0
// TileRows: how rows of a tile lie in shared memory so that the eight rows of an ldmatrix, 16 bytes
// each, fall into different banks. Portable, because the host sizes tiles with it.
#pragma once

#include "kernels/core/base.h"

namespace weft {

/// Rows of whole 128-byte groups are dense, with chunk c of row r at c ^ (r % 8); all others are
/// padded to an odd number of 16-byte chunks, which spreads rows by itself.
struct TileRows {
  int32_t chunks;  // 16-byte chunks that hold data
  int32_t stride;  // bytes from row to row

  WEFT_HD static constexpr TileRows of(int32_t row_bytes) {
    const int32_t chunks = ceil_div(row_bytes, 16);
    return {chunks, chunks % 8 == 0 ? chunks * 16 : (chunks | 1) * 16};
  }

  WEFT_HD constexpr bool swizzled() const { return chunks % 8 == 0; }

  /// Offset of a chunk of a row. REQUIRES: row >= 0.
  WEFT_HD constexpr int32_t at(int32_t row, int32_t chunk) const {
    return row * stride + (swizzled() ? chunk ^ (row & 7) : chunk) * 16;
  }
};

}  // namespace weft
