// SPDX-License-Identifier: Apache-2.0
// One head of a tile, for any matrix unit M: its queries, and what a block of keys does to its
// state.
//
//   per block:  rows of K, V  --stage--> unit's words --pack--> B operands      (many rows)
//               chunk of rows:  S = Q K   ->  P = softmax(S)  ->  O += P V
//
// Called by walk.h, block by block.
#pragma once

#include "src/ops/attention/cpu/ahead.h"
#include "src/ops/attention/cpu/few_rows.h"
#include "src/ops/attention/cpu/rotate.h"
#include "src/ops/attention/cpu/scratch.h"
#include "src/ops/attention/cpu/tile_rows.h"

namespace weft {
namespace {

/// A block of keys as one head walks it.
struct Step {
  int32_t block;
  int count;  // keys that exist
  BlockView view;
  bool o_live;             // o holds sums of earlier blocks
  bool ending;             // the last block: what follows the tile is asked for
  const BlockRows& ahead;  // rows to ask for
  int ahead_count;         // how many of them exist
};

/// One head of a tile being computed.
template <class M>
class TileRun {
 public:
  /// Head `head` of `rows`, with scratch of its own. `next`: what comes then, null = nothing.
  TileRun(const AttentionSpec& spec, const AttentionParams& params, const Scratch& scratch,
          const TileRows& rows, int head, const TileRows* next);

  const Tile& tile() const { return tile_; }
  const Scratch& scratch() const { return scratch_; }
  /// Loads the queries and asks for rows beside it.
  void load_queries(const BlockRows& ahead, int count);
  /// Forgets all keys.
  void reset();
  /// o of rows that are not in its first block; false: a tile of few rows has all of them in each.
  bool clear_o();
  /// Adds a block of keys: o in scratch.o, sums lane-wise in m and d. `rows` are overwritten.
  void add_block(const Step& step, BlockRows& rows);
  RowSums sums(int row) const {
    return {scratch_.m[row], reduce_add(load(scratch_.d + row * kWidth))};
  }
  const float* natural_o(const float* o, int row) const {
    return M::natural_row(o + int64_t{row} * scratch_.ldo, scratch_.row, spec_.head_dim_vo,
                          few_ ? v_dtype_ : DType::none);
  }

 private:
  const char* query(const Tile& tile, int row) const {
    const int64_t at = (tile.first_token + tile.token(row)) * params_.q_stride_token +
                       tile.qo_head(row) * params_.q_stride_head;
    return static_cast<const char*>(params_.q) + at * size_of(spec_.dtype_q);
  }
  bool rotates() const { return spec_.rope.mode != RopeMode::none; }
  void load_row(uint32_t* to, const void* from, DType dtype, int64_t position);
  void stage_rows(const Step& step, BlockRows& rows, Ahead& ahead);
  void run_few(const Step& step, const BlockRows& rows);
  void run_many(const Step& step, const BlockRows& rows, Ahead& ahead);
  void pack_queries();
  void pack_keys(const BlockRows& rows, Ahead& ahead, int lines);
  void pack_values(const BlockRows& rows, Ahead& ahead, int lines);
  void find_wanted(const Step& step, int row_begin, int rows);
  void softmax_rows(const Step& step, int row_begin, int rows, Ahead* ahead, int lines);
  void ask_row(int row) const;
  Operands dots_of(int row, bool partial) const;
  Operands sums_of(int row, bool partial, bool o_live) const;
  Ahead ahead_of(const BlockRows& rows, int count) const {
    const int size = size_of(spec_.dtype_kv);
    return Ahead(rows, count, spec_.head_dim_qk * size, spec_.head_dim_vo * size);
  }

  const AttentionSpec& spec_;
  const AttentionParams& params_;
  const Scratch scratch_;
  const Tile tile_;
  const bool has_next_;
  const Tile next_;  // whose turn it will be
  const bool few_;
  const bool packs_queries_;
  const bool stages_keys_, stages_values_;
  const DType k_dtype_, v_dtype_;  // of rows as the products read them
  LogitMap map_;
};

template <class M>
TileRun<M>::TileRun(const AttentionSpec& spec, const AttentionParams& params,
                    const Scratch& scratch, const TileRows& rows, int head, const TileRows* next)
    : spec_(spec),
      params_(params),
      scratch_(scratch),
      tile_(rows.tile_of(head)),
      has_next_(next != nullptr && head < next->num_heads),
      next_(has_next_ ? next->tile_of(head) : tile_),
      few_(tile_.rows <= M::kFewRows),
      packs_queries_(!few_ && tile_.rows <= M::kPackedQueries && spec.head_dim_qk % kPair == 0),
      stages_keys_(rotates() || M::stages(spec.dtype_kv, true, few_)),
      stages_values_(M::stages(spec.dtype_kv, false, few_)),
      k_dtype_(stages_keys_ ? M::kNative : spec.dtype_kv),
      v_dtype_(stages_values_ ? M::kNative : spec.dtype_kv) {
  const float k_scale = params.k_scales == nullptr ? 1.0f : params.k_scales[tile_.kv_head];
  map_.scale = params.sm_scale * params.k_scale * k_scale;
  if (few_ && M::in_pairs(k_dtype_)) map_.scale *= pair_factor(k_dtype_);
  map_.cap = params.logits_soft_cap;
  map_.slopes = params.alibi_slopes;
}

template <class M>
void TileRun<M>::load_row(uint32_t* to, const void* from, DType dtype, int64_t position) {
  const int n = spec_.head_dim_qk;
  if (!rotates()) return M::to_words(to, from, dtype, n);
  widen_row(scratch_.row, from, dtype, n);
  rotate_row(spec_.rope, n, scratch_.turns, position, scratch_.cos_sin, scratch_.row);
  M::from_f32(to, scratch_.row, n);
}

// Sixteen rows of q, transposed; those that do not exist are zeros.
template <class M>
void TileRun<M>::pack_queries() {
  const char* rows[kWidth];
  for (int r = 0; r < kWidth; ++r) {
    const uint32_t* q = scratch_.q + int64_t{r} * scratch_.ldq;
    rows[r] = r < tile_.rows ? reinterpret_cast<const char*>(q) : scratch_.zeros;
  }
  for (int w = 0; w < scratch_.ldq; w += kWidth) {
    transpose_words(rows, int64_t{w} * 4, kWidth, scratch_.queries + w * kWidth, kWidth);
  }
}

template <class M>
void TileRun<M>::load_queries(const BlockRows& rows, int count) {
  Ahead ahead = ahead_of(rows, count);
  const int lines = ceil_div(ahead.lines(), tile_.rows);
  const int words = spec_.head_dim_qk / M::kPerWord;
  for (int r = 0; r < tile_.rows; ++r) {
    ahead.ask(lines);
    uint32_t* to = scratch_.q + int64_t{r} * scratch_.ldq;
    load_row(to, query(tile_, r), spec_.dtype_q, int64_t{tile_.token(r)} + tile_.ahead);
    for (int w = words; w < scratch_.ldq; ++w) to[w] = 0;
    if (few_ && M::in_pairs(k_dtype_)) {
      float* row = reinterpret_cast<float*>(to);
      pair_row(row, row, scratch_.ldq);
    }
  }
  if constexpr (M::kPackedQueries > 0) {
    if (packs_queries_) pack_queries();
  }
}

// Row `row` of the queries of the next tile, and of this one's output, which is about to be
// written.
template <class M>
void TileRun<M>::ask_row(int row) const {
  const int64_t o = (tile_.first_token + tile_.token(row)) * params_.o_stride_token +
                    tile_.qo_head(row) * params_.o_stride_head;
  const char* to = static_cast<const char*>(params_.o) + o * size_of(spec_.dtype_o);
  for (int i = 0; i < spec_.head_dim_vo * size_of(spec_.dtype_o); i += 64) {
    __builtin_prefetch(to + i, 1);
  }
  if (!has_next_ || row >= next_.rows) return;
  const char* from = query(next_, row);
  for (int i = 0; i < spec_.head_dim_qk * size_of(spec_.dtype_q); i += 64) {
    __builtin_prefetch(from + i, 0, 2);
  }
}

// Converts and rotates what the unit cannot read as it lies; `rows` then points there.
template <class M>
void TileRun<M>::stage_rows(const Step& step, BlockRows& rows, Ahead& ahead) {
  const int lines = few_ ? ceil_div(ahead.lines(), 2 * kBlockKeys) : 0;
  if (stages_keys_) {
    for (int j = 0; j < step.count; ++j) {
      ahead.ask(lines);
      uint32_t* to = scratch_.k_stage + j * scratch_.ldq;
      load_row(to, rows.k[j], spec_.dtype_kv, int64_t{step.block} + j);
      rows.k[j] = reinterpret_cast<const char*>(to);
    }
  }
  if (stages_values_) {
    for (int j = 0; j < step.count; ++j) {
      ahead.ask(lines);
      uint32_t* to = scratch_.v_stage + j * scratch_.ldv;
      M::to_words(to, rows.v[j], spec_.dtype_kv, spec_.head_dim_vo);
      rows.v[j] = reinterpret_cast<const char*>(to);
    }
  }
}

// `ahead`: asks for `lines` of the next block's lines a row; null = it asks for none.
template <class M>
void TileRun<M>::softmax_rows(const Step& step, int row_begin, int rows, Ahead* ahead, int lines) {
  const bool linear = map_.linear();
  const float scale = linear ? map_.scale * kLog2E : 1.0f;
  for (int i = 0; i < rows; ++i) {
    const int r = row_begin + i;
    float* s = scratch_.s + i * kBlockKeys;
    if (!linear) {
      const float slope = map_.slopes == nullptr ? 0.0f : map_.slopes[tile_.qo_head(r)];
      const int64_t position = int64_t{tile_.token(r)} + tile_.ahead;
      map_row(map_, slope, static_cast<float>(step.block - position), s);
    }
    const RowState row{scratch_.m + r, scratch_.d + r * kWidth,
                       scratch_.o + int64_t{r} * scratch_.ldo, scratch_.ldo, step.o_live};
    Vec x[kBlockVecs];
    const uint64_t bits =
        step.view.partial ? visible_bits(tile_, params_, tile_.token(r), step.block) : ~uint64_t{0};
    if (bits == ~uint64_t{0}) {
      softmax_row<kBlockVecs>(s, scale, AllVisible{}, row, x);
    } else {
      softmax_masked_row(s, scale, bits, row, x);
    }
    M::store_weights(scratch_.p + i * (kBlockKeys / M::kPerWord), x);
    if (ahead != nullptr) ahead->ask(lines);
    if (step.ending) ask_row(r);
  }
}

template <class M>
Operands TileRun<M>::dots_of(int row, bool partial) const {
  Operands x{scratch_.q + int64_t{row} * scratch_.ldq, scratch_.ldq, scratch_.s, kBlockKeys,
             spec_.head_dim_qk / M::kPerWord,          false};
  if (partial) x.columns_wanted = scratch_.keys;
  return x;
}

template <class M>
Operands TileRun<M>::sums_of(int row, bool partial, bool o_live) const {
  constexpr int kWords = kBlockKeys / M::kPerWord;
  Operands x{scratch_.p,   kWords, scratch_.o + int64_t{row} * scratch_.ldo,
             scratch_.ldo, kWords, o_live};
  if (partial) x.steps_wanted = scratch_.words;
  return x;
}

template <class M>
void TileRun<M>::run_few(const Step& step, const BlockRows& rows) {
  // stage_rows has asked for what it staged.
  const BlockRows& next = step.ahead_count > 0 ? step.ahead : rows;
  const RowsInPlace keys{rows.k, stages_keys_ ? rows.k : next.k, spec_.head_dim_qk};
  const RowsInPlace values{rows.v, stages_values_ ? rows.v : next.v, spec_.head_dim_vo};
  M::with_dtype(k_dtype_, [&](auto dtype) {
    dot_rows<M, dtype.value>(scratch_.q, scratch_.ldq, tile_.rows, keys, step.count, scratch_.s);
  });
  softmax_rows(step, 0, tile_.rows, nullptr, 0);
  Operands sums = sums_of(0, false, step.o_live);
  sums.steps = ceil_div(step.count, M::kPerWord);
  M::with_dtype(v_dtype_, [&](auto dtype) { add_rows<M, dtype.value>(sums, tile_.rows, values); });
}

// Packs keys, and asks for `lines` of the next block's lines after each small step.
template <class M>
void TileRun<M>::pack_keys(const BlockRows& rows, Ahead& ahead, int lines) {
  const int dk = spec_.head_dim_qk;
  for (int key = 0; key < kBlockKeys; key += kWidth) {
    for (int d = 0; d < dk; d += kPair) {
      M::pack_keys(scratch_.k + key, rows.k + key, k_dtype_, d, dk - d);
      ahead.ask(lines);
    }
  }
}

template <class M>
void TileRun<M>::pack_values(const BlockRows& rows, Ahead& ahead, int lines) {
  for (int key = 0; key < kBlockKeys; key += 2) {
    M::pack_values(scratch_.v, scratch_.ldo, rows.v, key, v_dtype_, spec_.head_dim_vo);
    ahead.ask(lines);
  }
}

// How many keys of the block are of use to the rows of a chunk, up to each: those behind the last
// that a causal mask shows, and those that do not exist, are neither multiplied nor added.
template <class M>
void TileRun<M>::find_wanted(const Step& step, int row_begin, int rows) {
  const int64_t count = step.count;
  for (int i = 0; i < rows; ++i) {
    int64_t keys = count;
    if (tile_.mask == MaskMode::causal) {
      const int64_t position = int64_t{tile_.token(row_begin + i)} + tile_.ahead;
      keys = clamp_to<int64_t>(position + 1 - step.block, 0, count);
    }
    scratch_.keys[i] = static_cast<uint8_t>(keys);
    scratch_.words[i] = static_cast<uint8_t>(ceil_div<int64_t>(keys, M::kPerWord));
  }
}

template <class M>
void TileRun<M>::run_many(const Step& step, const BlockRows& rows, Ahead& ahead) {
  // With many rows softmax has the time to ask; with few, packing is most of the work.
  const BlockView& view = step.view;
  const int num_rows = view.row_end - view.row_begin;
  const bool while_packing = num_rows < kBlockKeys;
  const int steps = kBlockKeys / kWidth * ceil_div(spec_.head_dim_qk, kPair) + kBlockKeys / 2;
  const int step_lines = while_packing ? ceil_div(ahead.lines(), steps) : 0;
  if (!packs_queries_) pack_keys(rows, ahead, step_lines);
  if (!packs_queries_) pack_values(rows, ahead, step_lines);
  const int lines = while_packing ? 0 : ceil_div(ahead.lines(), num_rows);
  const int columns = round_up(spec_.head_dim_vo, M::kColumnPad);
  for (int r = view.row_begin; r < view.row_end; r += M::kChunkRows) {
    const int n = min_of(view.row_end - r, M::kChunkRows);
    if (view.partial) find_wanted(step, r, n);
    if constexpr (M::kPackedQueries > 0) {
      if (packs_queries_) {
        M::dot_keys(scratch_.queries + r, spec_.head_dim_qk / M::kPerWord, rows.k, step.count, n,
                    scratch_.s, [&] { ahead.ask(step_lines); });
        pack_values(rows, ahead, step_lines);
      }
    }
    if (!packs_queries_) {
      M::multiply(dots_of(r, view.partial), n, kBlockKeys, PackedWords{scratch_.k, kBlockKeys});
    }
    softmax_rows(step, r, n, &ahead, lines);
    M::multiply(sums_of(r, view.partial, step.o_live), n, columns,
                PackedWords{scratch_.v, scratch_.ldo});
  }
}

template <class M>
void TileRun<M>::reset() {
  for (int r = 0; r < tile_.rows; ++r) {
    scratch_.m[r] = kNothing;
    store(scratch_.d + r * kWidth, splat(0.0f));
  }
}

template <class M>
bool TileRun<M>::clear_o() {
  if (few_) return false;
  const int64_t size = int64_t{tile_.rows} * scratch_.ldo;
  memset(scratch_.o, 0, static_cast<size_t>(size) * sizeof(float));
  return true;
}

template <class M>
void TileRun<M>::add_block(const Step& step, BlockRows& rows) {
  Ahead ahead = ahead_of(step.ahead, step.ahead_count);
  stage_rows(step, rows, ahead);
  if (few_) {
    run_few(step, rows);
  } else {
    run_many(step, rows, ahead);
  }
}

}  // namespace
}  // namespace weft
