// SPDX-License-Identifier: Apache-2.0
// AttentionWgmmaParams: the launch argument of the wgmma attention kernel.
#pragma once

#include "kernels/attention/params.h"
#include "kernels/core/fast_divide.h"
#include "kernels/core/tensor_map.h"

namespace weft {

/// Banded: a page and head as the last coordinate of their map, page * a + head * b.
struct WgmmaPlace {
  int32_t page;
  int32_t head;
};

/// CTA w executes items work_indptr[w / head_lanes] .. of lane w % head_lanes.
struct AttentionWgmmaParams {
  TensorMap q_map;  // (dim, query head, token), box (64, group, qo_tile / group)
  TensorMap k_map;  // (dim, token of page, KV head, page), box (64, box_keys, 1, 1);
  TensorMap v_map;  // ragged: one page that holds all tokens. Banded: (dim of slice, token of
                    // band, slice, band of page, place), box (64, 8, all, box_keys / 8, 1)
  AttentionParams args;
  WgmmaPlace k_place;
  WgmmaPlace v_place;
  FastDivisor group;  // packed row p of a request: token p / group_size
  FastDivisor page;   // ragged: 0
  int32_t head_lanes;
  int32_t heads_per_lane;
  int32_t qo_tile;   // packed rows of a tile, a multiple of the group
  int32_t box_keys;  // divides the page size and the KV tile; ragged: the KV tile
};

}  // namespace weft
