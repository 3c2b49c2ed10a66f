// SPDX-License-Identifier: Apache-2.0
// See rotation.h.
#include "src/cpu/rotation.h"

namespace weft {

RopeTurns make_turns(const Rope& rope) {
  RopeTurns table;
  if (rope.mode == RopeMode::none) return table;
  for (int i = 0; i < rope.dim / 2; ++i) table.turns[i] = rope_turns(rope, rope.dim, i);
  return table;
}

Rotation rotation_at(const RotationSource& source, int64_t position, RotationBuffer& buffer) {
  if (source.mode == RopeMode::none) return {nullptr, nullptr};
  const Rotation made{buffer.cos, buffer.sin};
  if (source.cache == nullptr) {
    source.rows->cos_sin(source.mode, source.turns, source.dim, position, buffer.cos, buffer.sin);
    return made;
  }
  const float* row = source.cache + position * source.cache_stride;
  if (source.mode == RopeMode::neox) return {row, row + source.dim / 2};
  source.rows->interleave(row, source.dim, buffer.cos, buffer.sin);
  return made;
}

}  // namespace weft
