// SPDX-License-Identifier: Apache-2.0
// A work item from beginning to end, for any matrix unit M: load the queries of a tile, walk its
// blocks of keys, leave a state, finish or merge it.
//
//   per block:  rows of K, V  --stage--> unit's words --pack--> B operands      (many rows)
//               chunk of rows:  S = Q K   ->  P = softmax(S)  ->  O += P V
//
// Called by the per-ISA units through their table only.
#pragma once

#include "src/ops/attention/cpu/few_rows.h"
#include "src/ops/attention/cpu/kv_rows.h"
#include "src/ops/attention/cpu/rotate.h"
#include "src/ops/attention/cpu/scratch.h"

namespace weft {
namespace {

/// One tile being computed.
template <class M>
class TileRun {
 public:
  TileRun(const AttentionSpec& spec, const AttentionParams& params, const Scratch& scratch,
          const Tile& tile)
      : spec_(spec),
        params_(params),
        scratch_(scratch),
        tile_(tile),
        keys_(kv_source(spec, params, tile, true)),
        values_(kv_source(spec, params, tile, false)),
        few_(tile.rows <= M::kFewRows) {
    const float k_scale = params.k_scales == nullptr ? 1.0f : params.k_scales[tile.kv_head];
    map_.scale = params.sm_scale * params.k_scale * k_scale;
    map_.cap = params.logits_soft_cap;
    map_.slopes = params.alibi_slopes;
  }

  void load_queries();
  /// The state over keys [begin, end): o in scratch.o, sums lane-wise in m and d.
  void attend(int32_t begin, int32_t end);
  RowSums sums(int row) const {
    return {scratch_.m[row], reduce_add(load(scratch_.d + row * kWidth))};
  }
  const float* natural_o(const float* o, int row) const {
    return M::natural_row(o + int64_t{row} * scratch_.ldo, scratch_.row, spec_.head_dim_vo);
  }

 private:
  bool rotates() const { return spec_.rope.mode != RopeMode::none; }
  void load_row(uint32_t* to, const void* from, DType dtype, int64_t position);
  void stage_rows(int32_t block);
  void run_block(int32_t block, bool o_live);
  void softmax_rows(const BlockView& view, int32_t block, int row_begin, int rows, bool o_live);
  Operands dots_of(int row) const;
  Operands sums_of(int row, bool o_live) const;

  const AttentionSpec& spec_;
  const AttentionParams& params_;
  const Scratch& scratch_;
  const Tile tile_;
  const KvSource keys_;
  const KvSource values_;
  const bool few_;
  LogitMap map_;
};

template <class M>
void TileRun<M>::load_row(uint32_t* to, const void* from, DType dtype, int64_t position) {
  const int n = spec_.head_dim_qk;
  if (!rotates()) return M::to_words(to, from, dtype, n);
  widen_row(scratch_.row, from, dtype, n);
  rotate_row(spec_.rope, n, scratch_.turns, position, scratch_.cos_sin, scratch_.row);
  M::from_f32(to, scratch_.row, n);
}

template <class M>
void TileRun<M>::load_queries() {
  const char* q = static_cast<const char*>(params_.q);
  const int words = spec_.head_dim_qk / M::kPerWord;
  for (int r = 0; r < tile_.rows; ++r) {
    const int32_t i = tile_.token(r);
    const int64_t at =
        (tile_.first_token + i) * params_.q_stride_token + tile_.qo_head(r) * params_.q_stride_head;
    uint32_t* to = scratch_.q + int64_t{r} * scratch_.ldq;
    load_row(to, q + at * size_of(spec_.dtype_q), spec_.dtype_q, int64_t{i} + tile_.ahead);
    for (int w = words; w < scratch_.ldq; ++w) to[w] = 0;
  }
}

// Converts and rotates what the unit cannot read as it lies; k_rows and v_rows then point there.
template <class M>
void TileRun<M>::stage_rows(int32_t block) {
  const bool foreign = spec_.dtype_kv != M::kNative;
  const int count = min_of(tile_.kv_end - block, kBlockKeys);
  if (foreign || rotates()) {
    for (int j = 0; j < count; ++j) {
      uint32_t* to = scratch_.k_stage + j * scratch_.ldq;
      load_row(to, scratch_.k_rows[j], spec_.dtype_kv, int64_t{block} + j);
      scratch_.k_rows[j] = reinterpret_cast<const char*>(to);
    }
  }
  if (foreign && (few_ || M::kPerWord > 1)) {
    for (int j = 0; j < count; ++j) {
      uint32_t* to = scratch_.v_stage + j * scratch_.ldv;
      M::to_words(to, scratch_.v_rows[j], spec_.dtype_kv, spec_.head_dim_vo);
      scratch_.v_rows[j] = reinterpret_cast<const char*>(to);
    }
  }
}

template <class M>
void TileRun<M>::softmax_rows(const BlockView& view, int32_t block, int row_begin, int rows,
                              bool o_live) {
  const bool linear = map_.linear();
  const float scale = linear ? map_.scale * kLog2E : 1.0f;
  for (int i = 0; i < rows; ++i) {
    const int r = row_begin + i;
    float* s = scratch_.s + i * kBlockKeys;
    if (!linear) {
      const float slope = map_.slopes == nullptr ? 0.0f : map_.slopes[tile_.qo_head(r)];
      const int64_t position = int64_t{tile_.token(r)} + tile_.ahead;
      map_row(map_, slope, static_cast<float>(block - position), s);
    }
    const RowState row{scratch_.m + r, scratch_.d + r * kWidth,
                       scratch_.o + int64_t{r} * scratch_.ldo, scratch_.ldo, o_live};
    Vec x[kBlockVecs];
    const uint64_t bits =
        view.partial ? visible_bits(tile_, params_, tile_.token(r), block) : ~uint64_t{0};
    if (bits == ~uint64_t{0}) {
      softmax_row<false>(s, scale, bits, row, x);
    } else {
      softmax_row<true>(s, scale, bits, row, x);
    }
    M::store_weights(scratch_.p + i * (kBlockKeys / M::kPerWord), x);
  }
}

template <class M>
Operands TileRun<M>::dots_of(int row) const {
  return {scratch_.q + int64_t{row} * scratch_.ldq, scratch_.ldq, scratch_.s, kBlockKeys,
          spec_.head_dim_qk / M::kPerWord,          false};
}

template <class M>
Operands TileRun<M>::sums_of(int row, bool o_live) const {
  constexpr int kWords = kBlockKeys / M::kPerWord;
  return {scratch_.p,   kWords, scratch_.o + int64_t{row} * scratch_.ldo,
          scratch_.ldo, kWords, o_live};
}

template <class M>
void TileRun<M>::run_block(int32_t block, bool o_live) {
  const BlockView view = view_block(tile_, block);
  const int words = spec_.head_dim_qk / M::kPerWord;
  if (few_) {
    dot_rows<M>(scratch_.q, scratch_.ldq, tile_.rows, scratch_.k_rows, words, scratch_.s);
    softmax_rows(view, block, 0, tile_.rows, o_live);
    return add_rows<M>(sums_of(0, o_live), tile_.rows, spec_.head_dim_vo, scratch_.v_rows);
  }
  for (int key = 0; key < kBlockKeys; key += kWidth) {
    for (int w = 0; w < words; w += kWidth) {
      transpose_words(scratch_.k_rows + key, int64_t{w} * 4, min_of(words - w, kWidth),
                      scratch_.k + w * kBlockKeys + key, kBlockKeys);
    }
  }
  M::pack_v(scratch_.v, scratch_.ldo, scratch_.v_rows, spec_.dtype_kv, spec_.head_dim_vo);
  for (int r = view.row_begin; r < view.row_end; r += M::kChunkRows) {
    const int rows = min_of(view.row_end - r, M::kChunkRows);
    M::multiply(dots_of(r), rows, kBlockKeys, PackedWords{scratch_.k, kBlockKeys});
    softmax_rows(view, block, r, rows, o_live);
    M::multiply(sums_of(r, o_live), rows, scratch_.ldo, PackedWords{scratch_.v, scratch_.ldo});
  }
}

template <class M>
void TileRun<M>::attend(int32_t begin, int32_t end) {
  for (int r = 0; r < tile_.rows; ++r) {
    scratch_.m[r] = kNothing;
    store(scratch_.d + r * kWidth, splat(0.0f));
  }
  const int32_t visible =
      window_begin(tile_.token(0), tile_.qo_len, tile_.kv_len, tile_.window_left);
  begin = max_of(begin, visible) / kBlockKeys * kBlockKeys;
  bool o_live = false;
  for (int32_t block = begin; block < end; block += kBlockKeys) {
    const BlockView view = view_block(tile_, block);
    if (view.row_begin == view.row_end) continue;
    if (!o_live && !few_ && view.row_end - view.row_begin < tile_.rows) {
      // Rows that join later must find zeros.
      const int64_t size = int64_t{tile_.rows} * scratch_.ldo;
      memset(scratch_.o, 0, static_cast<size_t>(size) * sizeof(float));
      o_live = true;
    }
    find_rows(keys_, block, tile_.kv_end, scratch_.zeros, scratch_.k_rows);
    find_rows(values_, block, tile_.kv_end, scratch_.zeros, scratch_.v_rows);
    stage_rows(block);
    run_block(block, o_live);
    o_live = true;
  }
}

}  // namespace
}  // namespace weft
