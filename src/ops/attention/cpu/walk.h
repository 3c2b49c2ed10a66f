// SPDX-License-Identifier: Apache-2.0
// A tile from block to block, for one KV head or several side by side. Where memory holds all heads
// of a token together (NHD), reading one head at a time takes 256 bytes here and 256 bytes there,
// which the hardware's prefetchers do not follow: four query rows a head then reach 45 % of the
// read bandwidth. Heads side by side ask for the next block's rows in the order of memory instead,
// each for a share of them.
//
// The state of each head is computed as if it were alone: no bit depends on who walks beside it.
#pragma once

#include "src/ops/attention/cpu/attend.h"

namespace weft {
namespace {

template <class M>
class TileWalk {
 public:
  TileWalk(const AttentionSpec& spec, const AttentionParams& params, const Scratch& scratch,
           const TileRows& rows, const TileRows* next)
      : spec_(spec),
        params_(params),
        scratch_(scratch),
        rows_(rows),
        next_(next != nullptr && next->empty() ? nullptr : next) {}

  int num_heads() const { return rows_.num_heads; }
  TileRun<M> head(int h) const {
    return TileRun<M>(spec_, params_, scratch_.of_head(h, rows_.tile.rows), rows_, h, next_);
  }
  /// Loads the queries of all heads and asks for their first block.
  void load_queries() const;
  /// The states over keys [begin, end). `final`: no keys follow; during the last block the walk
  /// then asks for what the next tile begins with.
  void attend(int32_t begin, int32_t end, bool final) const;

 private:
  /// A block of keys of some tile.
  struct Place {
    const TileRows* rows;
    int32_t block;
    int count;         // keys that exist; 0: there is no such block
    BlockRows* first;  // rows of the first head
  };

  Place place(const TileRows& rows, int32_t block, BlockRows& to) const {
    rows.find_block(block, scratch_.zeros, to);
    return {&rows, block, rows.count(block), &to};
  }
  // What the `turn`-th head asks for. One head has it as it lies.
  const BlockRows& share_of(const Place& p, int turn, int& count) const {
    count = p.count;
    if (p.count == 0 || (p.rows->num_heads == 1 && turn == 0)) return *p.first;
    count = p.rows->find_share(*p.first, p.count, turn, scratch_.zeros, scratch_.rows[3]);
    return scratch_.rows[3];
  }
  void add_block(TileRun<M>& first_head, const Place& now, const BlockView& view, bool o_live,
                 bool ending, const Place& after) const;

  const AttentionSpec& spec_;
  const AttentionParams& params_;
  const Scratch& scratch_;
  const TileRows& rows_;
  const TileRows* const next_;  // whose turn it will be; null = nobody's
};

template <class M>
void TileWalk<M>::load_queries() const {
  Place first{&rows_, 0, 0, scratch_.rows};
  if (!rows_.empty()) first = place(rows_, rows_.first_block, scratch_.rows[0]);
  for (int h = 0; h < num_heads(); ++h) {
    int count;
    const BlockRows& ahead = share_of(first, h, count);
    head(h).load_queries(ahead, count);
  }
}

template <class M>
void TileWalk<M>::add_block(TileRun<M>& first_head, const Place& now, const BlockView& view,
                            bool o_live, bool ending, const Place& after) const {
  int count;
  // The first head last: it overwrites the rows from which those of the others are found.
  for (int h = 1; h < num_heads(); ++h) {
    BlockRows& own = scratch_.rows[2];
    rows_.find_head(*now.first, now.count, h, scratch_.zeros, own);
    const BlockRows& ahead = share_of(after, h - 1, count);
    head(h).add_block({now.block, now.count, view, o_live, ending, ahead, count}, own);
  }
  const BlockRows& ahead = share_of(after, num_heads() - 1, count);
  first_head.add_block({now.block, now.count, view, o_live, ending, ahead, count}, *now.first);
}

template <class M>
void TileWalk<M>::attend(int32_t begin, int32_t end, bool final) const {
  for (int h = 0; h < num_heads(); ++h) head(h).reset();
  begin = max_of(begin, rows_.first_block) / kBlockKeys * kBlockKeys;
  if (begin >= end) return;
  bool o_live = false;
  TileRun<M> first_head = head(0);
  Place now = place(rows_, begin, scratch_.rows[0]);
  for (int turn = 1; now.block < end; turn = 1 - turn) {
    const bool last = end - now.block <= kBlockKeys, ending = last && final;
    Place after{&rows_, now.block + kBlockKeys, 0, now.first};
    if (!last) after = place(rows_, after.block, scratch_.rows[turn]);
    if (ending && next_ != nullptr) after = place(*next_, next_->first_block, scratch_.rows[turn]);
    const BlockView view = view_block(rows_.tile, now.block);
    if (view.row_begin != view.row_end) {
      // Rows that join later must find zeros.
      if (!o_live && view.row_end - view.row_begin < rows_.tile.rows) {
        for (int h = 0; h < num_heads(); ++h) o_live |= head(h).clear_o();
      }
      add_block(first_head, now, view, o_live, ending, after);
      o_live = true;
    }
    if (last) break;
    now = after;
  }
}

}  // namespace
}  // namespace weft
