// SPDX-License-Identifier: Apache-2.0
// How many KV heads of a tile walk their blocks side by side (walk.h), and so how many lanes a
// thread takes at once (../cpu.cc). No result depends on it.
#pragma once

#include "src/ops/attention/cpu/tile.h"

namespace weft {
namespace {

/// Most heads side by side.
constexpr int kMostHeads = 16;
// Tiles of more rows wait for arithmetic, not for memory.
constexpr int kAbreastRows = 16;
// Two blocks of all heads, the one in use and the one asked for, beside scratch in an L2 of 1 MB.
constexpr int kAbreastBytes = 512 << 10;

/// Heads of a token lie closer than tokens of a head.
inline bool heads_adjoin(int64_t stride_head, int64_t stride_token, int32_t page_size) {
  const int64_t head = stride_head < 0 ? -stride_head : stride_head;
  const int64_t token = stride_token < 0 ? -stride_token : stride_token;
  return head < token || page_size == 1;
}

/// For tiles of `rows` rows; 1 where memory holds each head by itself.
inline int heads_abreast(const AttentionSpec& spec, const AttentionParams& p, int rows) {
  const bool adjoin = heads_adjoin(p.k_stride_head, p.k_stride_token, p.lengths.page_size) &&
                      heads_adjoin(p.v_stride_head, p.v_stride_token, p.lengths.page_size);
  if (!adjoin || rows > kAbreastRows) return 1;
  const int row_bytes = (spec.head_dim_qk + spec.head_dim_vo) * size_of(spec.dtype_kv);
  const int fit = kAbreastBytes / (2 * kBlockKeys * row_bytes);
  return clamp_to(min_of(fit, spec.schedule.qo_tile / kAbreastRows), 1, kMostHeads);
}

}  // namespace
}  // namespace weft
