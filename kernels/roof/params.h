// SPDX-License-Identifier: Apache-2.0
// PagedReadParams: equal requests over a paged cache; strides in bytes.
#pragma once

#include "kernels/core/fast_divide.h"

namespace weft {

/// Item i reads `chunk_tiles` tiles of head i % heads: chunk i / heads % chunks of request
/// i / heads / chunks.
struct PagedReadParams {
  const char* k;
  const char* v;
  const int32_t* pages;  // [requests, pages_per_request]
  int64_t stride_page, stride_token, stride_head;
  FastDivisor page, heads, chunks, tiles;  // tiles: of a chunk
  int32_t pages_per_request;
  int32_t num_items;
  int32_t contiguous;  // 1: a CTA's items are neighbours; 0: num_ctas apart
  float* never;        // written when a sum is a value it cannot have
};

}  // namespace weft
