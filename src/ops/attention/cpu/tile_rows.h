// SPDX-License-Identifier: Apache-2.0
// The keys and values of a tile, or of the same tile of several KV heads that walk their blocks
// side by side: where their rows lie, and in which order memory holds them. Called by walk.h and
// attend.h; knows no arithmetic.
#pragma once

#include "src/ops/attention/cpu/abreast.h"
#include "src/ops/attention/cpu/kv_rows.h"

namespace weft {
namespace {

struct TileRows {
  /// The tile of `count` heads from key `begin` on, as far as finding and asking for its rows goes.
  TileRows(const AttentionSpec& spec, const AttentionParams& params, const Tile& t,
           const int32_t* kv_heads, int count, int32_t begin)
      : tile(t),
        num_heads(count),
        keys(kv_source(spec, params, t, true)),
        values(kv_source(spec, params, t, false)),
        first_block(max_of(begin, window_begin(t.token(0), t.qo_len, t.kv_len, t.window_left)) /
                    kBlockKeys * kBlockKeys) {
    for (int h = 0; h < count; ++h) {
      heads[h] = kv_heads[h];
      k_offsets[h] = (kv_heads[h] - kv_heads[0]) * keys.head_stride;
      v_offsets[h] = (kv_heads[h] - kv_heads[0]) * values.head_stride;
    }
  }

  bool empty() const { return first_block >= tile.kv_end; }
  Tile tile_of(int head) const {
    Tile t = tile;
    t.kv_head = heads[head];
    return t;
  }
  /// Keys of a block that exist. REQUIRES: block < tile.kv_end.
  int count(int32_t block) const { return min_of(tile.kv_end - block, kBlockKeys); }
  /// Rows of the first head.
  void find_block(int32_t block, const char* zeros, BlockRows& rows) const {
    find_rows(keys, block, tile.kv_end, zeros, rows.k);
    find_rows(values, block, tile.kv_end, zeros, rows.v);
  }
  /// Those of another, of which `count` exist.
  void find_head(const BlockRows& first, int count, int head, const char* zeros,
                 BlockRows& rows) const {
    const int64_t k = k_offsets[head], v = v_offsets[head];
    for (int j = 0; j < count; ++j) rows.k[j] = first.k[j] + k;
    for (int j = 0; j < count; ++j) rows.v[j] = first.v[j] + v;
    for (int j = count; j < kBlockKeys; ++j) rows.k[j] = rows.v[j] = zeros;
  }
  /// The rows of all heads in the order of memory, token by token, kBlockKeys to a share: those of
  /// share `share`. Returns how many there are; the others are `zeros`.
  int find_share(const BlockRows& first, int count, int share, const char* zeros,
                 BlockRows& rows) const {
    const int begin = share * kBlockKeys, n = clamp_to(count * num_heads - begin, 0, kBlockKeys);
    int token = begin / num_heads, head = begin % num_heads;
    for (int i = 0; i < n;) {
      const int run = min_of(num_heads - head, n - i);
      for (int j = 0; j < run; ++j) rows.k[i + j] = first.k[token] + k_offsets[head + j];
      for (int j = 0; j < run; ++j) rows.v[i + j] = first.v[token] + v_offsets[head + j];
      i += run;
      head = 0;
      ++token;
    }
    for (int i = n; i < kBlockKeys; ++i) rows.k[i] = rows.v[i] = zeros;
    return n;
  }

  Tile tile;  // of the first head
  int num_heads;
  int32_t heads[kMostHeads];
  int64_t k_offsets[kMostHeads], v_offsets[kMostHeads];  // bytes from the first head
  KvSource keys, values;                                 // of the first head
  int32_t first_block;
};

}  // namespace
}  // namespace weft
