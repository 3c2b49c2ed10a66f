// SPDX-License-Identifier: Apache-2.0
// SwizzledTile: how the copy engine lays the rows of a tile in shared memory so that the tensor
// cores read them without bank conflicts, along rows and across them. Portable: the host sizes
// shared memory and boxes with it. docs/kernels/hopper_tiles.md draws it.
#pragma once

#include "kernels/core/base.h"

namespace weft {

/// A tile of `rows` rows of 16-bit elements, cut into slices of span / 2 columns that lie one after
/// another, each `rows` rows of `span` bytes. Within a slice the 16-byte chunk of a row is XORed
/// with the row's place in a group of span / 16 whole 128-byte lines, as the engine does it.
/// REQUIRES: the tile starts at a multiple of 1024 bytes; rows a multiple of 8.
struct SwizzledTile {
  int32_t rows = 0;
  int32_t columns = 0;
  int32_t span = 128;  // 128, 64 or 32: the swizzle; 16: none

  WEFT_HD constexpr int32_t slice_columns() const { return span / 2; }
  WEFT_HD constexpr int32_t num_slices() const { return ceil_div(columns, slice_columns()); }
  WEFT_HD constexpr int32_t slice_bytes() const { return rows * span; }
  WEFT_HD constexpr int32_t bytes() const { return num_slices() * slice_bytes(); }

  /// Byte offset of an element.
  WEFT_HD constexpr int32_t at(int32_t row, int32_t column) const {
    const int32_t in_slice = row * span + column % slice_columns() * 2;
    const int32_t chunk_mask = span - 16;
    return column / slice_columns() * slice_bytes() + (in_slice ^ ((in_slice >> 3) & chunk_mask));
  }
};

}  // namespace weft
