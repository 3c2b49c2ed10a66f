// SPDX-License-Identifier: Apache-2.0
// VerifySmem: how shared memory is laid out while a request is verified. Portable: the host asks
// for as many bytes as the kernel uses.
#pragma once

#include "kernels/verify/spec.h"

namespace weft {

/// Offsets in bytes.
struct VerifySmem {
  int32_t path;      // of a tree: i32 [kMostDrafts], the drafts that stand
  int32_t children;  // of a tree: i32 [kMostDrafts], tokens that had their chance
  int32_t count;     // of children
  int32_t team;
  int32_t bytes;

  WEFT_HD static constexpr VerifySmem of(const VerifyRowSpec& s) {
    const int32_t list = s.tree ? kMostDrafts * 4 : 0;
    VerifySmem m{};
    m.path = 0;
    m.children = list;
    m.count = 2 * list;
    m.team = m.count + 16;
    m.bytes = round_up(m.team + TeamSmem::bytes(s.slices), 128);
    return m;
  }
};

}  // namespace weft
