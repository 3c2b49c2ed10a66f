// SPDX-License-Identifier: Apache-2.0
// Where the rows of a block of keys or values lie: through the page table or in ragged tensors,
// with any strides. Rows beyond the last key are a row of zeros, so what the unused part of a page
// holds is never read.
#pragma once

#include "src/ops/attention/cpu/tile.h"

namespace weft {
namespace {

/// Where the rows of one block lie. Keys, then values: one list of 2 * kBlockKeys rows.
struct BlockRows {
  const char* k[kBlockKeys];
  const char* v[kBlockKeys];
};

/// Keys or values of one request and head. Strides in bytes.
struct KvSource {
  const char* base = nullptr;  // of the head
  int64_t head_stride = 0;
  int64_t page_stride = 0;
  int64_t token_stride = 0;
  const int32_t* pages = nullptr;  // of the request; null when ragged
  int32_t page_size = 0;
  int64_t first_token = 0;  // ragged: of the request
};

inline KvSource kv_source(const AttentionSpec& spec, const AttentionParams& p, const Tile& t,
                          bool keys) {
  const int64_t size = size_of(spec.dtype_kv);
  const int32_t first = p.lengths.kv_indptr[t.request];
  KvSource s;
  s.head_stride = (keys ? p.k_stride_head : p.v_stride_head) * size;
  s.base = static_cast<const char*>(keys ? p.k : p.v) + t.kv_head * s.head_stride;
  s.page_stride = (keys ? p.k_stride_page : p.v_stride_page) * size;
  s.token_stride = (keys ? p.k_stride_token : p.v_stride_token) * size;
  s.page_size = p.lengths.page_size;
  if (s.page_size > 0) {
    s.pages = p.kv_indices + first;
  } else {
    s.first_token = first;
  }
  return s;
}

/// rows[i] = row of key key_begin + i; `zeros` from key_end on.
inline void find_rows(const KvSource& s, int32_t key_begin, int32_t key_end, const char* zeros,
                      const char** rows) {
  const int count = min_of(key_end - key_begin, kBlockKeys);
  int i = 0;
  if (s.page_size == 0) {
    const char* row = s.base + (s.first_token + key_begin) * s.token_stride;
    for (; i < count; ++i) rows[i] = row + i * s.token_stride;
  } else {
    int32_t page = key_begin / s.page_size;
    int32_t slot = key_begin % s.page_size;
    while (i < count) {
      const char* row = s.base + s.pages[page] * s.page_stride + slot * s.token_stride;
      const int run = min_of(count - i, s.page_size - slot);
      for (int j = 0; j < run; ++j) rows[i + j] = row + j * s.token_stride;
      i += run;
      ++page;
      slot = 0;
    }
  }
  for (; i < kBlockKeys; ++i) rows[i] = zeros;
}

}  // namespace
}  // namespace weft
