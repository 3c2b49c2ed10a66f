// SPDX-License-Identifier: Apache-2.0
// AttentionCheckSpec: what is fixed of the kernel that checked mode runs before attention: one CTA
// for a whole batch.
#pragma once

#include "kernels/core/base.h"

namespace weft {

struct AttentionCheckSpec {
  int32_t num_threads = 1024;

  bool operator==(const AttentionCheckSpec&) const = default;
};

/// Dynamic shared memory: none.
struct AttentionCheckSmem {
  int32_t bytes = 0;

  WEFT_HD static constexpr AttentionCheckSmem of(const AttentionCheckSpec&) { return {}; }
};

}  // namespace weft
