// SPDX-License-Identifier: Apache-2.0
// LogprobsSmem: how shared memory is laid out while a row is looked through. Portable: the host
// asks for as many bytes as the kernel uses.
#pragma once

#include "kernels/logprobs/spec.h"

namespace weft {

/// Offsets in bytes. Entries are of 8 bytes.
struct LogprobsSmem {
  static constexpr int32_t kEntries = 2048;  // of a list, 16 for each of the most that are reported

  int32_t groups;  // [num_threads / 2]: the largest of two threads' values
  int32_t list;    // [kEntries]
  int32_t own;     // [kMostLogprobs]: the largest of this CTA, in order
  int32_t all;     // [cluster][kMostLogprobs]: of all CTAs, in the first one
  int32_t words;   // floor, number of entries
  int32_t team;
  int32_t bytes;

  WEFT_HD static constexpr LogprobsSmem of(const LogprobsRowSpec& s) {
    LogprobsSmem m{};
    m.groups = 0;
    m.list = m.groups + s.slices.num_threads / 2 * 8;
    m.own = m.list + kEntries * 8;
    m.all = m.own + kMostLogprobs * 8;
    m.words = m.all + s.slices.cluster * kMostLogprobs * 8;
    m.team = m.words + 16;
    m.bytes = round_up(m.team + TeamSmem::bytes(s.slices), 128);
    return m;
  }
};

}  // namespace weft
