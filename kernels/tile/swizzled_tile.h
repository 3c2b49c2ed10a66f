// SPDX-License-Identifier: Apache-2.0
// SwizzledTile: how the copy engine lays the rows of a tile in shared memory so that the tensor
// cores read them without bank conflicts, along rows and across them. Portable: the host sizes
// shared memory and boxes with it. docs/kernels/hopper_tiles.md draws it.
#pragma once

#include "kernels/core/base.h"

namespace weft {

/// A tile of `rows` rows of 16-bit elements, cut into slices of span / 2 columns and bands of 8
/// rows. Slice by slice, each with all its bands; or, `banded`, band by band, each with all its
/// slices, so that one box of the engine brings whole rows. Within a slice the 16-byte chunk of a
/// row is XORed with the row's place in a group of span / 16 whole 128-byte lines, as the engine
/// does it.
/// REQUIRES: the tile starts at a multiple of 1024 bytes; rows a multiple of 8.
struct SwizzledTile {
  int32_t rows = 0;
  int32_t columns = 0;
  int32_t span = 128;  // 128, 64 or 32: the swizzle; 16: none
  bool banded = false;

  WEFT_HD constexpr int32_t slice_columns() const { return span / 2; }
  WEFT_HD constexpr int32_t num_slices() const { return ceil_div(columns, slice_columns()); }
  WEFT_HD constexpr int32_t bytes() const { return num_slices() * rows * span; }
  /// From a slice to the next, of the same band.
  WEFT_HD constexpr int32_t slice_stride() const { return (banded ? 8 : rows) * span; }
  /// From a band to the next, of the same slice.
  WEFT_HD constexpr int32_t band_stride() const { return (banded ? num_slices() : 1) * 8 * span; }

  /// Byte offset of an element.
  WEFT_HD constexpr int32_t at(int32_t row, int32_t column) const {
    const int32_t in_band = row % 8 * span + column % slice_columns() * 2;
    const int32_t chunk_mask = span - 16;
    return column / slice_columns() * slice_stride() + row / 8 * band_stride() +
           (in_band ^ ((in_band >> 3) & chunk_mask));
  }
};

}  // namespace weft
