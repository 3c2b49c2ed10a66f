// SPDX-License-Identifier: Apache-2.0
// Cosines and sines of a token, from frequencies or from the caller's cache. Used by the CPU rooms
// of rope and append; knows no tensor.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/core/rope.h"
#include "src/cpu/rows.h"

namespace weft {

/// Frequencies of a Rope as fractions of a turn; made once, with its operator.
struct RopeTurns {
  uint64_t turns[kMaxRopeDim / 2] = {};

  /// Those of `rope`.
  std::span<const uint64_t> of(const Rope& rope) const {
    return {turns, rope.mode == RopeMode::none ? 0 : static_cast<size_t>(rope.dim / 2)};
  }
};

/// REQUIRES: rope was checked (its dim is filled in), or its mode is none.
RopeTurns make_turns(const Rope& rope);

/// Where the angles of one run come from.
struct RotationSource {
  const RowTable* rows = nullptr;
  RopeMode mode = RopeMode::none;
  int dim = 0;
  const uint64_t* turns = nullptr;  // [dim / 2]
  const float* cache = nullptr;     // [max_position, dim] or null: replaces turns
  int64_t cache_stride = 0;
};

/// 8 KiB: one for each thread that works, on its stack.
struct RotationBuffer {
  float cos[kMaxRopeDim + kRowSpare];
  float sin[kMaxRopeDim + kRowSpare];
};

/// Valid until `buffer` is used again.
Rotation rotation_at(const RotationSource& source, int64_t position, RotationBuffer& buffer);

}  // namespace weft
