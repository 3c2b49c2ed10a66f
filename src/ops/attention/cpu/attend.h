// SPDX-License-Identifier: Apache-2.0
// A work item from beginning to end, for any matrix unit M: load the queries of a tile, walk its
// blocks of keys, leave a state, finish or merge it.
//
//   per block:  rows of K, V  --stage--> unit's words --pack--> B operands      (many rows)
//               chunk of rows:  S = Q K   ->  P = softmax(S)  ->  O += P V
//
// Called by the per-ISA units through their table only.
#pragma once

#include "src/ops/attention/cpu/ahead.h"
#include "src/ops/attention/cpu/few_rows.h"
#include "src/ops/attention/cpu/kv_rows.h"
#include "src/ops/attention/cpu/rotate.h"
#include "src/ops/attention/cpu/scratch.h"

namespace weft {
namespace {

/// A tile and the keys from `begin` on, as far as finding and asking for its rows goes.
struct TileRows {
  TileRows(const AttentionSpec& spec, const AttentionParams& params, const Tile& t, int32_t begin)
      : tile(t),
        keys(kv_source(spec, params, t, true)),
        values(kv_source(spec, params, t, false)),
        first_block(max_of(begin, window_begin(t.token(0), t.qo_len, t.kv_len, t.window_left)) /
                    kBlockKeys * kBlockKeys) {}

  bool empty() const { return first_block >= tile.kv_end; }
  /// Keys of a block that exist. REQUIRES: block < tile.kv_end.
  int count(int32_t block) const { return min_of(tile.kv_end - block, kBlockKeys); }
  void find_block(int32_t block, const char* zeros, BlockRows& rows) const {
    find_rows(keys, block, tile.kv_end, zeros, rows.k);
    find_rows(values, block, tile.kv_end, zeros, rows.v);
  }

  Tile tile;
  KvSource keys, values;
  int32_t first_block;
};

/// One tile being computed.
template <class M>
class TileRun {
 public:
  TileRun(const AttentionSpec& spec, const AttentionParams& params, const Scratch& scratch,
          const TileRows& rows, const TileRows* next);

  /// Loads the queries and asks for the first block of keys and values.
  void load_queries();
  /// The state over keys [begin, end): o in scratch.o, sums lane-wise in m and d. `final`: no keys
  /// follow; during the last block it then asks for what `next` begins with.
  void attend(int32_t begin, int32_t end, bool final);
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
  void stage_rows(int32_t block, BlockRows& rows, Ahead& ahead);
  void run_few(const BlockView& view, int32_t block, const BlockRows& rows, const BlockRows& next,
               bool o_live);
  void run_many(const BlockView& view, int32_t block, const BlockRows& rows, Ahead& ahead,
                bool o_live);
  void pack_block(const BlockRows& rows, Ahead& ahead, int lines);
  void find_wanted(int32_t block, int row_begin, int rows);
  void softmax_rows(const BlockView& view, int32_t block, int row_begin, int rows, bool o_live,
                    Ahead* ahead, int lines);
  void ask_row(int row) const;
  Operands dots_of(int row, bool partial) const;
  Operands sums_of(int row, bool partial, bool o_live) const;

  const AttentionSpec& spec_;
  const AttentionParams& params_;
  const Scratch& scratch_;
  const TileRows& rows_;
  const Tile& tile_;
  const TileRows* const next_;  // whose turn it will be; null = nobody's
  const bool few_;
  const bool stages_keys_, stages_values_;
  const DType k_dtype_, v_dtype_;  // of rows as the products read them
  LogitMap map_;
  bool ending_ = false;  // in the last block
};

template <class M>
TileRun<M>::TileRun(const AttentionSpec& spec, const AttentionParams& params,
                    const Scratch& scratch, const TileRows& rows, const TileRows* next)
    : spec_(spec),
      params_(params),
      scratch_(scratch),
      rows_(rows),
      tile_(rows.tile),
      next_(next != nullptr && next->empty() ? nullptr : next),
      few_(tile_.rows <= M::kFewRows),
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

template <class M>
void TileRun<M>::load_queries() {
  BlockRows& first = scratch_.rows[0];
  if (!rows_.empty()) rows_.find_block(rows_.first_block, scratch_.zeros, first);
  const int count = rows_.empty() ? 0 : rows_.count(rows_.first_block);
  const int size = size_of(spec_.dtype_kv);
  Ahead ahead(first, count, spec_.head_dim_qk * size, spec_.head_dim_vo * size);
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
  if (next_ == nullptr || row >= next_->tile.rows) return;
  const char* from = query(next_->tile, row);
  for (int i = 0; i < spec_.head_dim_qk * size_of(spec_.dtype_q); i += 64) {
    __builtin_prefetch(from + i, 0, 2);
  }
}

// Converts and rotates what the unit cannot read as it lies; `rows` then points there.
template <class M>
void TileRun<M>::stage_rows(int32_t block, BlockRows& rows, Ahead& ahead) {
  const int count = rows_.count(block);
  const int lines = few_ ? ceil_div(ahead.lines(), 2 * kBlockKeys) : 0;
  if (stages_keys_) {
    for (int j = 0; j < count; ++j) {
      ahead.ask(lines);
      uint32_t* to = scratch_.k_stage + j * scratch_.ldq;
      load_row(to, rows.k[j], spec_.dtype_kv, int64_t{block} + j);
      rows.k[j] = reinterpret_cast<const char*>(to);
    }
  }
  if (stages_values_) {
    for (int j = 0; j < count; ++j) {
      ahead.ask(lines);
      uint32_t* to = scratch_.v_stage + j * scratch_.ldv;
      M::to_words(to, rows.v[j], spec_.dtype_kv, spec_.head_dim_vo);
      rows.v[j] = reinterpret_cast<const char*>(to);
    }
  }
}

// `ahead`: asks for `lines` of the next block's lines a row; null = it asks for none.
template <class M>
void TileRun<M>::softmax_rows(const BlockView& view, int32_t block, int row_begin, int rows,
                              bool o_live, Ahead* ahead, int lines) {
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
      softmax_row<kBlockVecs>(s, scale, AllVisible{}, row, x);
    } else {
      softmax_masked_row(s, scale, bits, row, x);
    }
    M::store_weights(scratch_.p + i * (kBlockKeys / M::kPerWord), x);
    if (ahead != nullptr) ahead->ask(lines);
    if (ending_) ask_row(r);
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
void TileRun<M>::run_few(const BlockView& view, int32_t block, const BlockRows& rows,
                         const BlockRows& next, bool o_live) {
  const int count = rows_.count(block);
  // stage_rows has asked for what it staged.
  const RowsInPlace keys{rows.k, stages_keys_ ? rows.k : next.k, spec_.head_dim_qk};
  const RowsInPlace values{rows.v, stages_values_ ? rows.v : next.v, spec_.head_dim_vo};
  M::with_dtype(k_dtype_, [&](auto dtype) {
    dot_rows<M, dtype.value>(scratch_.q, scratch_.ldq, tile_.rows, keys, count, scratch_.s);
  });
  softmax_rows(view, block, 0, tile_.rows, o_live, nullptr, 0);
  Operands sums = sums_of(0, false, o_live);
  sums.steps = ceil_div(count, M::kPerWord);
  M::with_dtype(v_dtype_, [&](auto dtype) { add_rows<M, dtype.value>(sums, tile_.rows, values); });
}

// Packs keys and values, and asks for `lines` of the next block's lines after each small step.
template <class M>
void TileRun<M>::pack_block(const BlockRows& rows, Ahead& ahead, int lines) {
  const int dk = spec_.head_dim_qk;
  for (int key = 0; key < kBlockKeys; key += kWidth) {
    for (int d = 0; d < dk; d += kPair) {
      M::pack_keys(scratch_.k + key, rows.k + key, k_dtype_, d, dk - d);
      ahead.ask(lines);
    }
  }
  for (int key = 0; key < kBlockKeys; key += 2) {
    M::pack_values(scratch_.v, scratch_.ldo, rows.v, key, v_dtype_, spec_.head_dim_vo);
    ahead.ask(lines);
  }
}

// How many keys of the block are of use to the rows of a chunk, up to each: those behind the last
// that a causal mask shows, and those that do not exist, are neither multiplied nor added.
template <class M>
void TileRun<M>::find_wanted(int32_t block, int row_begin, int rows) {
  const int64_t count = rows_.count(block);
  for (int i = 0; i < rows; ++i) {
    int64_t keys = count;
    if (tile_.mask == MaskMode::causal) {
      const int64_t position = int64_t{tile_.token(row_begin + i)} + tile_.ahead;
      keys = clamp_to<int64_t>(position + 1 - block, 0, count);
    }
    scratch_.keys[i] = static_cast<uint8_t>(keys);
    scratch_.words[i] = static_cast<uint8_t>(ceil_div<int64_t>(keys, M::kPerWord));
  }
}

template <class M>
void TileRun<M>::run_many(const BlockView& view, int32_t block, const BlockRows& rows, Ahead& ahead,
                          bool o_live) {
  // With many rows softmax has the time to ask; with few, packing is most of the work.
  const int num_rows = view.row_end - view.row_begin;
  const bool while_packing = num_rows < kBlockKeys;
  const int steps = kBlockKeys / kWidth * ceil_div(spec_.head_dim_qk, kPair) + kBlockKeys / 2;
  pack_block(rows, ahead, while_packing ? ceil_div(ahead.lines(), steps) : 0);
  const int lines = while_packing ? 0 : ceil_div(ahead.lines(), num_rows);
  const int columns = round_up(spec_.head_dim_vo, M::kColumnPad);
  for (int r = view.row_begin; r < view.row_end; r += M::kChunkRows) {
    const int n = min_of(view.row_end - r, M::kChunkRows);
    if (view.partial) find_wanted(block, r, n);
    M::multiply(dots_of(r, view.partial), n, kBlockKeys, PackedWords{scratch_.k, kBlockKeys});
    softmax_rows(view, block, r, n, o_live, &ahead, lines);
    M::multiply(sums_of(r, view.partial, o_live), n, columns,
                PackedWords{scratch_.v, scratch_.ldo});
  }
}

template <class M>
void TileRun<M>::attend(int32_t begin, int32_t end, bool final) {
  for (int r = 0; r < tile_.rows; ++r) {
    scratch_.m[r] = kNothing;
    store(scratch_.d + r * kWidth, splat(0.0f));
  }
  begin = max_of(begin, rows_.first_block) / kBlockKeys * kBlockKeys;
  BlockRows* rows = scratch_.rows;
  BlockRows* after = scratch_.rows + 1;
  if (begin < end) rows_.find_block(begin, scratch_.zeros, *rows);
  bool o_live = false;
  for (int32_t block = begin; block < end; block += kBlockKeys) {
    const bool last = end - block <= kBlockKeys;
    ending_ = last && final;
    int count = 0;  // of what follows
    if (!last) {
      rows_.find_block(block + kBlockKeys, scratch_.zeros, *after);
      count = rows_.count(block + kBlockKeys);
    } else if (ending_ && next_ != nullptr) {
      next_->find_block(next_->first_block, scratch_.zeros, *after);
      count = next_->count(next_->first_block);
    }
    const BlockView view = view_block(tile_, block);
    if (view.row_begin != view.row_end) {
      if (!o_live && !few_ && view.row_end - view.row_begin < tile_.rows) {
        // Rows that join later must find zeros.
        const int64_t size = int64_t{tile_.rows} * scratch_.ldo;
        memset(scratch_.o, 0, static_cast<size_t>(size) * sizeof(float));
        o_live = true;
      }
      const int size = size_of(spec_.dtype_kv);
      Ahead ahead(*after, count, spec_.head_dim_qk * size, spec_.head_dim_vo * size);
      stage_rows(block, *rows, ahead);
      if (few_) {
        run_few(view, block, *rows, count > 0 ? *after : *rows, o_live);
      } else {
        run_many(view, block, *rows, ahead, o_live);
      }
      o_live = true;
    }
    BlockRows* const done = rows;
    rows = after;
    after = done;
  }
}

}  // namespace
}  // namespace weft
