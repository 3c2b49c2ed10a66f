// SPDX-License-Identifier: Apache-2.0
// The memory of one thread: offsets are a function of the spec, contents live for one item (tables:
// for one run). Sized by scratch_bytes, handed in by the plan.
#pragma once

#include "src/cpu/pairs.h"
#include "src/ops/attention/cpu/abreast.h"
#include "src/ops/attention/cpu/kv_rows.h"
#include "src/ops/attention/cpu/state.h"

namespace weft {
namespace {

struct Scratch {
  // Lives for a run, filled by `begin`.
  char* zeros;      // a row of the cache
  uint64_t* turns;  // rotary frequencies, see rope_turns
  // Lives for an item.
  uint32_t* q;        // [rows, ldq] words
  uint32_t* queries;  // [heads, ldq, M::kPackedQueries]: q transposed
  float* o;           // [rows, ldo]
  float* total_o;     // [rows, ldo]: states folded so far; split_blocks > 0 only
  float* m;           // [rows]
  float* d;           // [rows, kWidth], lanes to be added up
  RowSums* total;     // [rows]
  // Lives for a block.
  BlockRows* rows;    // [4]: of this block, of the next, of one head, of what it asks for
  uint32_t* k_stage;  // [kBlockKeys, ldq]: rows that had to be converted or rotated
  uint32_t* v_stage;  // [kBlockKeys, ldv]
  uint32_t* k;        // packed [ldq, kBlockKeys]
  uint32_t* v;        // packed [kBlockKeys / per word, ldo]
  float* s;           // [M::kChunkRows, kBlockKeys]
  uint32_t* p;        // [M::kChunkRows, kBlockKeys / per word]
  uint8_t* keys;      // [M::kChunkRows]: keys of the block that rows up to this one may see
  uint8_t* words;     // [M::kChunkRows]: the same in words of p
  float* row;         // one row, wide enough for q, k and o
  float* cos_sin;     // [2, head_dim_qk / 2 padded]

  int ldq;           // words
  int ldv;           // words
  int ldo;           // floats
  int queries_size;  // words of a head
  size_t bytes;

  /// The same memory, with the rows of an item that belong to head `head` of those side by side.
  Scratch of_head(int head, int rows_a_head) const {
    const int row = head * rows_a_head;
    Scratch s = *this;
    s.queries += head * int64_t{queries_size};
    s.q += int64_t{row} * ldq;
    s.o += int64_t{row} * ldo;
    s.total_o += int64_t{row} * ldo;
    s.m += row;
    s.d += int64_t{row} * kWidth;
    s.total += row;
    return s;
  }
};

// Hands out 64-byte aligned pieces; with no base it only counts.
class Carver {
 public:
  explicit Carver(void* base) : base_(static_cast<char*>(base)) {}
  template <class T>
  void take(T*& piece, int64_t count) {
    piece = base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + bytes_);
    bytes_ = round_up<size_t>(bytes_ + static_cast<size_t>(count) * sizeof(T), 64);
  }
  size_t bytes() const { return bytes_; }

 private:
  char* base_;
  size_t bytes_ = 0;
};

/// For items of at most `rows` rows, those of heads side by side counted together.
template <class M>
Scratch carve_rows(const AttentionSpec& spec, int rows, void* base) {
  const int dk = spec.head_dim_qk, dv = spec.head_dim_vo;
  const int widest = round_up(max_of(dk, dv), 64);  // in whole pairs of registers
  constexpr int kBlockWords = kBlockKeys / M::kPerWord;
  Scratch s;
  s.ldq = round_up(dk, kPair) / M::kPerWord;
  s.ldo = round_up(dv, kPair);
  s.ldv = round_up(dv, kPair) / M::kPerWord;
  const bool splits = spec.schedule.split_blocks > 0;
  const bool rope = spec.rope.mode != RopeMode::none;
  const bool stage = rope || spec.dtype_kv != M::kNative;
  Carver c(base);
  c.take(s.zeros, int64_t{widest} * 4);
  c.take(s.turns, rope ? widest / 2 : 0);
  c.take(s.q, int64_t{rows} * s.ldq);
  s.queries_size = s.ldq * M::kPackedQueries;
  // Rows may begin past the first query: the last row of words then ends behind the array.
  c.take(s.queries, kMostHeads * int64_t{s.queries_size} + M::kPackedQueries);
  c.take(s.o, int64_t{rows} * s.ldo);
  c.take(s.total_o, splits ? int64_t{rows} * s.ldo : 0);
  c.take(s.m, rows);
  c.take(s.d, int64_t{rows} * kWidth);
  c.take(s.total, rows);
  c.take(s.rows, 4);
  c.take(s.k_stage, stage ? kBlockKeys * s.ldq : 0);
  c.take(s.v_stage, stage ? kBlockKeys * s.ldv : 0);
  c.take(s.k, kBlockKeys * s.ldq);
  c.take(s.v, kBlockWords * s.ldo);
  c.take(s.s, M::kChunkRows * kBlockKeys);
  c.take(s.p, M::kChunkRows * kBlockWords);
  c.take(s.keys, M::kChunkRows);
  c.take(s.words, M::kChunkRows);
  c.take(s.row, widest);
  c.take(s.cos_sin, rope ? widest : 0);
  s.bytes = c.bytes();
  return s;
}

/// The scratch of tiles that M computes itself, and of those of few rows.
struct ScratchPair {
  Scratch many;
  Scratch few;
  size_t bytes;
};

template <class M>
ScratchPair carve_scratch(const AttentionSpec& spec, void* base) {
  const Scratch many = carve_rows<M>(spec, spec.schedule.qo_tile, base);
  if (M::Few::kNative == M::kNative) return {many, many, many.bytes};
  void* rest = base == nullptr ? nullptr : static_cast<char*>(base) + many.bytes;
  Scratch few = carve_rows<typename M::Few>(spec, M::kFewRows * kMostHeads, rest);
  few.zeros = many.zeros;
  few.turns = many.turns;
  return {many, few, many.bytes + few.bytes};
}

}  // namespace
}  // namespace weft
