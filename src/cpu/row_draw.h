// SPDX-License-Identifier: Apache-2.0
// A draw from what a cut keeps of a row, by integer masses. Per-ISA units only, like simd.h; used
// by sampling and verify, knows neither.
#pragma once

#include "src/cpu/row_search.h"

namespace weft {
namespace {

/// The first token above the cut at which the running mass passes `draw`.
template <class Source>
inline int find_above(const RowSearch<Source>& row, const Cut& cut, const MassScale& scale,
                      const uint64_t* of_blocks, uint64_t draw) {
  int b = 0;
  for (; draw >= of_blocks[b]; ++b) draw -= of_blocks[b];
  float z[kRowBlock];
  uint64_t mass[kRowBlock];
  row.fill(b, z);
  block_masses(z, scale, mass);
  const float least = value_of(cut.key);
  for (int i = 0;; ++i) {
    if (!(z[i] > least)) continue;
    if (draw < mass[i]) return b * kRowBlock + i;
    draw -= mass[i];
  }
}

/// The token at the cut with `rank` others of lower ids.
template <class Source>
inline int find_tied(const RowSearch<Source>& row, const Cut& cut, uint64_t rank) {
  const float value = value_of(cut.key);
  for (int b = 0;; ++b) {
    float z[kRowBlock];
    row.fill(b, z);
    for (int i = 0; i < kRowBlock; ++i) {
      if (z[i] == value && rank-- == 0) return b * kRowBlock + i;
    }
  }
}

/// A token by its share of `total`, which is what the cut keeps.
template <class Source>
inline int draw_from(const RowSearch<Source>& row, const Cut& cut, const MassScale& scale,
                     uint64_t random, uint64_t& total) {
  uint64_t of_blocks[kMaxRowBlocks];
  const uint64_t above = row.mass_above(cut.key, scale, of_blocks);
  const uint64_t each = cut.ties == 0 ? 0 : mass_of(value_of(cut.key), scale);
  total = above + cut.ties * each;
  const uint64_t draw = draw_below(total, random);
  if (draw < above) return find_above(row, cut, scale, of_blocks, draw);
  return find_tied(row, cut, (draw - above) / each);
}

}  // namespace
}  // namespace weft
