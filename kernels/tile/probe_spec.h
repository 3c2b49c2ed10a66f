// SPDX-License-Identifier: Apache-2.0
// TileProbe: one tile product through one layout, so that a test can hold every word of this room
// against arithmetic done on the host. Launched by tests/gpu/tiles_test.cc only.
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/core/tensor_map.h"
#include "kernels/tile/swizzled_tile.h"

namespace weft {

/// D[64, columns] = A[64, depth] B.
struct TileProbeSpec {
  DType dtype = DType::bf16;
  int32_t columns = 64;   // a shape of Wgmma
  int32_t depth = 64;     // a multiple of 16
  int32_t span = 128;     // of both tiles
  bool b_across = false;  // B is stored [depth, columns]; else [columns, depth]
  bool a_in_registers = false;
  bool b_banded = false;  // B comes as one box

  WEFT_HD constexpr SwizzledTile a_tile() const { return {64, depth, span}; }
  WEFT_HD constexpr SwizzledTile b_tile() const {
    return b_across ? SwizzledTile{depth, columns, span, b_banded}
                    : SwizzledTile{columns, depth, span, b_banded};
  }
  bool operator==(const TileProbeSpec&) const = default;
};

struct TileProbeParams {
  TensorMap a_map;    // (column, row), box (span / 2, rows)
  TensorMap b_map;    // or banded: (column of slice, row of band, slice, band, 1), box all of it
  float* d;           // [64, columns]
  uint16_t* b_image;  // [b_tile().bytes() / 2]: shared memory as the copy engine left it
};

struct TileProbeSmem {
  int32_t a;
  int32_t b;
  int32_t barrier;
  int32_t bytes;

  WEFT_HD static constexpr TileProbeSmem of(const TileProbeSpec& s) {
    TileProbeSmem m{};
    m.b = round_up(s.a_tile().bytes(), 1024);
    m.barrier = m.b + s.b_tile().bytes();
    m.bytes = m.barrier + 16;
    return m;
  }
};

}  // namespace weft
