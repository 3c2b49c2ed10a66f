// SPDX-License-Identifier: Apache-2.0
// The KV cache of a case in the storage it asks for, and which page holds what.
// Used by attention_data.cc; the numbers are a function of (seed, request id, token, head).
#pragma once

#include <cstdint>
#include <vector>

#include "tests/cases/attention_case.h"
#include "tests/cases/buffers.h"

namespace weft::cases {

struct Cache {
  TensorView k;
  TensorView v;
  TensorView q;  // given only for Storage::packed_qkv
  int64_t num_pages = 0;
  std::vector<int32_t> pages;  // page ids, request after request
  std::vector<Buffer> owners;
};

Cache make_cache(const AttentionCase& c, const std::vector<int>& ids, uint64_t seed,
                 uint64_t layout_seed);

/// One key or value row, before rounding to the cache's dtype.
std::vector<double> kv_row(const AttentionCase& c, uint64_t seed, bool value, int id, int64_t token,
                           int head);

}  // namespace weft::cases
