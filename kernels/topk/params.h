// SPDX-License-Identifier: Apache-2.0
// TopkParams: everything a topk kernel receives at launch, in one plain struct, and what every
// backend reads of it in the same way. Filled by src/ops/topk/run.cc. Strides count elements.
#pragma once

#include "kernels/core/fault.h"

namespace weft {

struct TopkParams {
  const void* input;            // [n, max_len]
  const int32_t* lengths;       // [n] or null
  const int32_t* row_starts;    // [n] or null
  const int32_t* page_table;    // [batch_size, pages] or null
  const int32_t* row_to_batch;  // [n] or null
  const int32_t* offsets;       // [n] or null
  int32_t* indices;             // [n, k]
  void* values;                 // [n, k] or null
  int64_t input_stride, page_table_stride, indices_stride, values_stride;
  int64_t n;
  uint64_t* fault;  // [1] or null
  int32_t max_len, k;
  int32_t batch_size, pages, page_size;
};

/// Where a row begins and how long it is; length 0 when something is wrong.
struct TopkRow {
  int32_t start, length, batch;
  bool bad;
  RowFault fault;
};

WEFT_HD TopkRow topk_row(const TopkParams& p, int64_t i) {
  TopkRow r{};
  r.start = p.row_starts == nullptr ? 0 : p.row_starts[i];
  if (r.start < 0 || r.start > p.max_len) return {0, 0, 0, true, RowFault::row_starts};
  r.length = p.lengths == nullptr ? p.max_len - r.start : p.lengths[i];
  const int64_t positions = int64_t{p.pages} * p.page_size;
  const bool fits = r.length >= 0 && r.length <= p.max_len - r.start;
  if (!fits || (p.page_table != nullptr && r.length > positions)) {
    return {0, 0, 0, true, RowFault::lengths};
  }
  if (p.page_table == nullptr) return r;
  r.batch = p.row_to_batch == nullptr ? static_cast<int32_t>(i) : p.row_to_batch[i];
  if (r.batch < 0 || r.batch >= p.batch_size) return {0, 0, 0, true, RowFault::row_to_batch};
  return r;
}

/// What position `j` of row `i` is called.
WEFT_HD int32_t topk_index(const TopkParams& p, const TopkRow& r, int64_t i, int32_t j) {
  if (p.page_table != nullptr) {
    const int32_t page = j / p.page_size;
    return p.page_table[r.batch * p.page_table_stride + page] * p.page_size + j % p.page_size;
  }
  return p.offsets == nullptr ? j : j + p.offsets[i];
}

}  // namespace weft
