// SPDX-License-Identifier: Apache-2.0
// Walks the lists in their documented order and expects each piece to continue the last one.
#include "tests/cases/plan_check.h"

#include <algorithm>
#include <sstream>
#include <tuple>

namespace weft::cases {
namespace {

/// One past the last key any row of the tile may see without a window, row by row.
int32_t visible_end(const ScheduleSpec& s, int qo_len, int kv_len, int row_begin, int rows) {
  if (!s.causal) return kv_len;
  int64_t end = 0;
  for (int p = row_begin; p < row_begin + rows; ++p) {
    end = std::max<int64_t>(end, int64_t{p} / s.group_size + kv_len - qo_len + 1);
  }
  return static_cast<int32_t>(std::clamp<int64_t>(end, 0, kv_len));
}

std::string text(const WorkItem& w) {
  std::ostringstream out;
  out << "request " << w.request << " row " << w.row_begin << " heads [" << w.head_begin << ", "
      << w.head_end << ") kv [" << w.kv_begin << ", " << w.kv_end << ") partial " << w.partial_row
      << " merge " << w.merge;
  return out.str();
}

/// Follows the order (request, tile, head, KV) and the merge list.
class Walk {
 public:
  Walk(const ScheduleSpec& spec, const BatchOfLengths& batch, const PlanLists& plan)
      : s_(spec), b_(batch.view()), batch_size_(batch.size()), plan_(plan) {
    skip_finished();
  }

  std::string take(const WorkItem& w) {
    if (request_ == batch_size_) return "an item after the last tile";
    if (w.request != request_ || w.row_begin != row_ || w.head_begin != head_) {
      return "expected request " + std::to_string(request_) + " row " + std::to_string(row_) +
             " head " + std::to_string(head_);
    }
    if (w.kv_begin != kv_) return "expected kv_begin " + std::to_string(kv_);
    const int all_rows = b_.qo_len(request_) * s_.group_size;
    rows_ = std::min(s_.qo_tile, all_rows - row_);
    end_ = visible_end(s_, b_.qo_len(request_), b_.kv_len(request_), row_, rows_);
    const std::string wrong = w.partial_row < 0 ? take_whole(w) : take_piece(w);
    if (!wrong.empty()) return wrong;
    if (w.kv_end < end_ || (w.partial_row >= 0 && pieces_left_ > 0)) {
      kv_ = w.kv_end;
    } else {
      kv_ = 0;
      head_ = w.head_end;
    }
    if (head_ == s_.heads_per_lane) {
      head_ = 0;
      row_ += rows_;
      skip_finished();
    }
    return "";
  }

  std::string finish() const {
    if (request_ != batch_size_)
      return "tiles are missing from request " + std::to_string(request_);
    if (merge_ + 1 != plan_.summary.num_merges) return "a merge without pieces";
    if (next_partial_ != plan_.summary.partial_rows) return "partial_rows does not add up";
    return "";
  }

 private:
  void skip_finished() {
    for (; request_ < batch_size_; ++request_, row_ = 0) {
      const int all_rows = b_.qo_len(request_) * s_.group_size;
      const bool ours = all_rows >= s_.least_rows && all_rows <= s_.most_rows;
      if (ours && row_ < all_rows) return;
    }
  }

  std::string take_whole(const WorkItem& w) {
    if (w.merge != -1) return "a whole item with a merge";
    if (w.kv_begin != 0 || w.kv_end != end_) return "expected kv [0, " + std::to_string(end_) + ")";
    if (w.head_end <= w.head_begin || w.head_end > s_.heads_per_lane) return "bad heads";
    return "";
  }

  std::string take_piece(const WorkItem& w) {
    if (w.head_end != w.head_begin + 1) return "a piece of more than one head";
    if (w.kv_begin == 0) {
      if (pieces_left_ > 0) return "a new tile before the last one was finished";
      if (++merge_ >= plan_.summary.num_merges) return "more cut tiles than merges";
      const MergeItem& m = merge();
      if (m.request != request_ || m.row_begin != row_ || m.rows != rows_ || m.head != head_ ||
          m.partial_row != next_partial_ || m.num_pieces < 2) {
        return "its merge is of another tile or of fewer than two pieces";
      }
      pieces_left_ = m.num_pieces;
      states_left_ = m.num_states;
    }
    if (w.merge != merge_) return "expected merge " + std::to_string(merge_);
    if (w.partial_row != next_partial_) {
      return "expected partial_row " + std::to_string(next_partial_);
    }
    const std::string wrong = check_cut(w);
    if (!wrong.empty()) return wrong;
    const int states = states_of(w);
    next_partial_ += states * rows_;
    states_left_ -= states;
    if (--pieces_left_ == 0 && (states_left_ != 0 || w.kv_end != end_)) {
      return "the last piece leaves states or keys over";
    }
    return "";
  }

  /// Where a tile may be cut.
  std::string check_cut(const WorkItem& w) const {
    if (w.kv_end == end_) return "";
    if (w.kv_end <= w.kv_begin || w.kv_end > end_) return "an empty or overlong piece";
    const int unit = s_.kv_tile * std::max(1, s_.split_blocks);
    if (w.kv_end % unit != 0) return "a cut not at a multiple of " + std::to_string(unit);
    return "";
  }

  int states_of(const WorkItem& w) const {
    if (s_.split_blocks == 0) return 1;
    // Splits of fixed length the piece touches, the first also taking what lies before the window.
    const int split = s_.split_blocks * s_.kv_tile;
    const TileRange t = tile_range(s_, b_.qo_len(request_), b_.kv_len(request_), row_ / s_.qo_tile);
    int states = 0;
    for (int at = 0; at < w.kv_end; at += split) {
      const bool before_window = at + split <= t.first_block * s_.kv_tile;
      if (at + split > w.kv_begin && !before_window) ++states;
    }
    return std::max(states, 1);
  }

  const MergeItem& merge() const { return plan_.merges[static_cast<size_t>(merge_)]; }

  const ScheduleSpec& s_;
  const BatchLengths b_;
  const int batch_size_;
  const PlanLists& plan_;
  int request_ = 0;
  int row_ = 0;
  int head_ = 0;
  int kv_ = 0;
  int rows_ = 0;
  int32_t end_ = 0;
  int merge_ = -1;
  int pieces_left_ = 0;
  int states_left_ = 0;
  int next_partial_ = 0;
};

std::string check_counts(const ScheduleSpec& spec, const PlanLists& plan) {
  const PlanSummary& n = plan.summary;
  if (plan.overrun) return "a list was written behind its capacity";
  if (n.num_items > plan.capacity.items) return "more items than capacity";
  if (n.num_merges > plan.capacity.merges) return "more merges than capacity";
  if (n.partial_rows > plan.capacity.partial_rows) return "more partial rows than capacity";
  if (plan.work_indptr.front() != 0 || plan.work_indptr.back() != n.num_items ||
      !std::is_sorted(plan.work_indptr.begin(), plan.work_indptr.end())) {
    return "work_indptr does not divide the items";
  }
  if (n.active_groups < 1 || n.active_groups > spec.num_groups) return "bad active_groups";
  for (int g = n.active_groups; g < spec.num_groups; ++g) {
    if (plan.work_indptr[static_cast<size_t>(g)] != n.num_items) return "an idle group has work";
  }
  return "";
}

std::string check_pieces_per_group(const ScheduleSpec& spec, const PlanLists& plan) {
  for (size_t g = 0; g + 1 < plan.work_indptr.size(); ++g) {
    int pieces = 0;
    for (int i = plan.work_indptr[g]; i < plan.work_indptr[g + 1]; ++i) {
      pieces += plan.items[static_cast<size_t>(i)].partial_row >= 0;
    }
    if (spec.split_blocks == 0 && pieces > 2) {
      return "group " + std::to_string(g) + " has " + std::to_string(pieces) + " partial items";
    }
  }
  return "";
}

}  // namespace

PlanLists make_plan(const ScheduleSpec& spec, const BatchOfLengths& batch, int max_batch_size,
                    int max_nnz_qo) {
  constexpr size_t kSpare = 16;
  const WorkItem item_mark{-9, -9, -9, -9, -9, -9, -9, -9};
  const MergeItem merge_mark{-9, -9, -9, -9, -9, -9, -9};
  PlanLists plan;
  plan.capacity = plan_capacity(spec, max_batch_size, max_nnz_qo);
  plan.work_indptr.resize(static_cast<size_t>(spec.num_groups) + 1);
  plan.items.assign(static_cast<size_t>(plan.capacity.items) + kSpare, item_mark);
  plan.merges.assign(static_cast<size_t>(plan.capacity.merges) + kSpare, merge_mark);
  plan.summary = partition(spec, batch.view(), batch.size(), plan.work_indptr.data(),
                           plan.items.data(), plan.merges.data());
  plan.overrun = !std::all_of(plan.items.end() - kSpare, plan.items.end(),
                              [&](const WorkItem& w) { return w == item_mark; }) ||
                 !std::all_of(plan.merges.end() - kSpare, plan.merges.end(),
                              [&](const MergeItem& m) { return m == merge_mark; });
  return plan;
}

std::string check_plan(const ScheduleSpec& spec, const BatchOfLengths& batch,
                       const PlanLists& plan) {
  std::string wrong = check_counts(spec, plan);
  if (!wrong.empty()) return wrong;
  Walk walk(spec, batch, plan);
  for (int i = 0; i < plan.summary.num_items; ++i) {
    const WorkItem& w = plan.items[static_cast<size_t>(i)];
    wrong = walk.take(w);
    if (!wrong.empty()) return "item " + std::to_string(i) + " (" + text(w) + "): " + wrong;
  }
  wrong = walk.finish();
  return wrong.empty() ? check_pieces_per_group(spec, plan) : wrong;
}

std::string check_coverage(const ScheduleSpec& spec, const BatchOfLengths& batch,
                           const PlanLists& plan) {
  const BatchLengths b = batch.view();
  for (int r = 0; r < batch.size(); ++r) {
    const int rows = b.qo_len(r) * spec.group_size;
    const int kv_len = b.kv_len(r);
    const auto at = [&](int head, int row, int j) {
      return static_cast<size_t>((head * rows + row) * kv_len + j);
    };
    std::vector<int> count(static_cast<size_t>(spec.heads_per_lane * rows * kv_len));
    for (int i = 0; i < plan.summary.num_items; ++i) {
      const WorkItem& w = plan.items[static_cast<size_t>(i)];
      if (w.request != r) continue;
      for (int h = w.head_begin; h < w.head_end; ++h) {
        for (int row = w.row_begin; row < std::min(rows, w.row_begin + spec.qo_tile); ++row) {
          for (int j = w.kv_begin; j < w.kv_end; ++j) ++count[at(h, row, j)];
        }
      }
    }
    for (int h = 0; h < spec.heads_per_lane; ++h) {
      for (int row = 0; row < rows; ++row) {
        const int ahead = kv_len - b.qo_len(r);
        for (int j = 0; j < kv_len; ++j) {
          const bool visible = !spec.causal || j <= row / spec.group_size + ahead;
          if (visible && count[at(h, row, j)] != 1) {
            return "request " + std::to_string(r) + " head " + std::to_string(h) + " row " +
                   std::to_string(row) + " key " + std::to_string(j) + " covered " +
                   std::to_string(count[at(h, row, j)]) + " times";
          }
        }
      }
    }
  }
  return "";
}

std::vector<int64_t> group_loads(const ScheduleSpec& spec, const BatchOfLengths& batch,
                                 const PlanLists& plan) {
  std::vector<int64_t> loads;
  for (size_t g = 0; g + 1 < plan.work_indptr.size(); ++g) {
    int64_t load = 0;
    for (int i = plan.work_indptr[g]; i < plan.work_indptr[g + 1]; ++i) {
      load += item_cost(spec, batch.view(), plan.items[static_cast<size_t>(i)]);
    }
    loads.push_back(load);
  }
  return loads;
}

ScheduleSpec random_spec(Random& random) {
  const auto pick = [&](std::initializer_list<int> of) {
    return of.begin()[random.integer(0, static_cast<int64_t>(of.size()) - 1)];
  };
  ScheduleSpec s;
  s.group_size = pick({1, 2, 3, 4, 7, 8, 16, 128});
  s.qo_tile = random.chance(0.5) ? static_cast<int>(random.integer(1, 192)) : pick({16, 64, 192});
  s.kv_tile = pick({1, 13, 16, 64, 128});
  s.num_groups = random.chance(0.5) ? static_cast<int>(random.integer(1, 200)) : pick({1, 8, 132});
  s.head_lanes = pick({1, 2, 8});
  s.heads_per_lane = pick({1, 1, 2, 3, 8});
  s.causal = random.chance(0.5);
  s.window_left = random.chance(0.6) ? -1 : static_cast<int>(random.integer(0, 500));
  s.min_blocks = pick({1, 2, 4, 9});
  s.cost.fixed = pick({1, 50, 400, 5000});
  s.cost.per_block = pick({1, 30, 900});
  s.cost.per_block_row = pick({0, 1, 80});
  s.cost.per_piece_row = pick({0, 0, 20, 600});
  if (random.chance(0.4)) {
    s.split_blocks = pick({1, 2, 5, 16});
    s.max_tile_partial_rows = s.qo_tile * pick({1, 2, 8, 40});
  }
  return s;
}

BatchOfLengths random_batch(Random& random, int batch_size, int max_kv) {
  BatchOfLengths out;
  const int shape = static_cast<int>(random.integer(0, 6));
  const int giant = static_cast<int>(random.integer(0, std::max(0, batch_size - 1)));
  for (int r = 0; r < batch_size; ++r) {
    const int kv = static_cast<int>(random.integer(0, max_kv));
    const int tenth = kv / (1 + static_cast<int>(random.integer(0, 40)));
    switch (shape) {
      case 0:
        out.add(static_cast<int>(random.integer(0, 1)), static_cast<int>(random.integer(0, 1)));
        break;
      case 1:
        out.add(1, max_kv);
        break;
      case 2:
        out.add(r == giant ? 300 : 1, r == giant ? 20 * max_kv : 5);
        break;
      case 3:
        out.add(static_cast<int>(random.integer(0, 9)), tenth);
        break;
      case 4:
        out.add(static_cast<int>(random.integer(0, 400)), tenth);
        break;
      case 5:
        out.add(random.chance(0.1) ? static_cast<int>(random.integer(1, 600)) : 1, kv);
        break;
      default:
        out.add(random.chance(0.5) ? 0 : static_cast<int>(random.integer(1, 3)),
                random.chance(0.5) ? 0 : kv);
    }
  }
  return out;
}

std::string print(const ScheduleSpec& s) {
  std::ostringstream out;
  out << "group_size " << s.group_size << " qo_tile " << s.qo_tile << " kv_tile " << s.kv_tile
      << " num_groups " << s.num_groups << " head_lanes " << s.head_lanes << " heads_per_lane "
      << s.heads_per_lane << " causal " << s.causal << " window_left " << s.window_left
      << " split_blocks " << s.split_blocks << " min_blocks " << s.min_blocks
      << " max_tile_partial_rows " << s.max_tile_partial_rows << " cost " << s.cost.fixed << "+"
      << s.cost.per_block << "+" << s.cost.per_block_row << ", per_piece_row "
      << s.cost.per_piece_row;
  return out.str();
}

}  // namespace weft::cases
