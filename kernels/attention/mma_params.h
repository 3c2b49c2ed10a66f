// SPDX-License-Identifier: Apache-2.0
// AttentionMmaParams: the launch argument of the mma.sync attention kernel. The host makes it from
// AttentionParams (src/ops/attention/select_cuda.h).
#pragma once

#include "kernels/attention/params.h"
#include "kernels/core/fast_divide.h"

namespace weft {

/// CTA w executes items work_indptr[w / head_lanes] .. of lane w % head_lanes.
struct AttentionMmaParams {
  AttentionParams args;
  FastDivisor group;  // by group_size: packed row p of a request is token p / group_size
  FastDivisor lanes;  // by head_lanes
  FastDivisor page;   // by page_size; ragged: every key is in page 0
  FastDivisor split;  // fixed_splits: by the keys of a state
  int32_t heads_per_lane;
  int32_t window_hint;  // fixed_splits: the window the plan was made for
  int32_t q_vectors;    // 1: every row of q lies on 16 bytes; 0: read element by element
  int32_t kv_vectors;   // the same of k and v
  int32_t beside;  // 1: the kernel ahead runs the other list of the same plan, at the same time
};

}  // namespace weft
