// SPDX-License-Identifier: Apache-2.0
// TopkSmem: the shared memory of the topk kernel. A search's own first, whose lists hold the result
// while it is sorted; where rows are listed, what that needs lies where a search would be, for one
// is made only after a list has failed, and the list itself behind.
#pragma once

#include "kernels/sampling/smem.h"
#include "kernels/topk/spec.h"

namespace weft {

inline constexpr int32_t kListBins = 1024;

/// Offsets in bytes; all but `bytes` only of a kernel that lists.
struct TopkSmem {
  int32_t bins = 0;     // u32 [kListBins]
  int32_t close = 0;    // u64 [threads]: entries about the last one that is kept
  int32_t words = 0;    // 256 bytes: what one thread tells the others
  int32_t largest = 0;  // u64 [threads]: of a sample; later u16 [k]: the result, by position
  int32_t kept = 0;     // u32 [slice / 32]: a bit for each value
  int32_t before = 0;   // u16 [slice / 32]: bits before each word
  int32_t list = 0;     // {f32, position} [list]
  int32_t bytes = 0;

  WEFT_HD static constexpr TopkSmem of(const TopkRowSpec& s) {
    static_assert(2 * kSearchKeys * 4 >= kMostTopk * 8);
    const SearchSmem search = SearchSmem::of(s.slices);
    TopkSmem m{};
    m.bytes = search.bytes;
    if (s.list == 0) return m;
    const int32_t words_kept = slice_words(s);
    m.bins = 0;
    m.close = m.bins + kListBins * 4;
    m.words = m.close + s.slices.num_threads * 8;
    m.largest = m.words + 256;
    m.kept = m.largest + max_of(s.slices.num_threads * 8, kMostTopk * 2);
    m.before = m.kept + words_kept * 4;
    m.list = search.bytes;
    m.bytes = m.list + s.list * 8;
    return m;
  }

  /// Whether all that lies where a search would be ends before what a search tells its peers.
  WEFT_HD static constexpr bool fits(const TopkRowSpec& s) {
    const TopkSmem m = of(s);
    const SearchSmem search = SearchSmem::of(s.slices);
    return search.histograms == 0 && m.before + slice_words(s) * 2 <= search.words &&
           search.words < search.team && m.largest + kMostTopk * 8 <= search.words;
  }

  /// Words of a bit a value. Short rows are dealt to fewer CTAs, which then take more than a slice.
  WEFT_HD static constexpr int32_t slice_words(const TopkRowSpec& s) {
    return max_of(s.slices.slice, 2 * s.slices.num_threads * s.vec) / 32;
  }
};

}  // namespace weft
