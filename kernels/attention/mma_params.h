// SPDX-License-Identifier: Apache-2.0
// AttentionMmaParams: the launch argument of the mma.sync attention kernel.
#pragma once

#include "kernels/attention/params.h"

namespace weft {

/// CTA w executes items work_indptr[w / head_lanes] .. of lane w % head_lanes.
struct AttentionMmaParams {
  AttentionParams args;
  int32_t group_size;  // packed row p of a request: token p / group_size
  int32_t head_lanes;
  int32_t heads_per_lane;
  int32_t split_tokens;  // > 0: a state for each so many tokens (batch-invariant)
};

}  // namespace weft
