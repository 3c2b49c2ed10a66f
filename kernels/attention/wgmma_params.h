// SPDX-License-Identifier: Apache-2.0
// AttentionWgmmaParams: the launch argument of the wgmma attention kernel.
#pragma once

#include "kernels/attention/params.h"
#include "kernels/core/fast_divide.h"
#include "kernels/core/tensor_map.h"

namespace weft {

/// CTA w executes items work_indptr[w / head_lanes] .. of lane w % head_lanes.
struct AttentionWgmmaParams {
  TensorMap q_map;  // (dim, query head, token), box (64, group, qo_tile / group)
  TensorMap k_map;  // (dim, token of page, KV head, page), box (64, box_keys, 1, 1);
  TensorMap v_map;  // ragged: one page that holds all tokens
  AttentionParams args;
  FastDivisor group;  // packed row p of a request: token p / group_size
  FastDivisor page;   // ragged: 0
  int32_t head_lanes;
  int32_t heads_per_lane;
  int32_t qo_tile;   // packed rows of a tile, a multiple of the group
  int32_t box_keys;  // divides the page size and the KV tile; ragged: the KV tile
};

}  // namespace weft
