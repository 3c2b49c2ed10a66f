// SPDX-License-Identifier: Apache-2.0
// See plan_view.h.
#include "tools/weft/plan_view.h"

#include <algorithm>
#include <climits>
#include <tuple>

#include "tools/weft/json.h"
#include "weft/error.h"

namespace weft::cli {
namespace {

/// One piece of the tile (request, row_begin) for one head of a lane.
struct Piece {
  int request, row_begin, head, kv_begin, kv_end, merge;
  auto key() const { return std::tuple(request, row_begin, head, kv_begin, kv_end); }
  bool same_tile(const Piece& other) const {
    return request == other.request && row_begin == other.row_begin && head == other.head;
  }
};

std::string where(const Piece& p) {
  return "request " + std::to_string(p.request) + ", row " + std::to_string(p.row_begin) +
         ", head " + std::to_string(p.head) + ": ";
}

/// Keys that some row of the tile may see: [0, end).
int visible_end(const PlanList& plan, const BatchShape& batch, const Piece& p) {
  const int qo_len = batch.qo_lens[p.request], kv_len = batch.kv_lens[p.request];
  if (!batch.causal) return kv_len;
  const int64_t rows = int64_t{qo_len} * plan.group_size;
  const int64_t last_row = std::min<int64_t>(rows, int64_t{p.row_begin} + plan.qo_tile) - 1;
  const int64_t last_token = last_row / plan.group_size;
  return static_cast<int>(std::clamp<int64_t>(last_token + kv_len - qo_len + 1, 0, kv_len));
}

std::string check_header(const PlanList& plan, const BatchShape& batch) {
  if (plan.head_lanes * plan.heads_per_lane != batch.num_kv_heads) return "heads are left out";
  if (plan.group_size * batch.num_kv_heads != batch.num_qo_heads) return "another group size";
  if (static_cast<int>(plan.groups.size()) != plan.num_groups) return "groups are left out";
  return "";
}

/// All pieces, or the first item that lies outside of the batch.
std::string collect(const PlanList& plan, const BatchShape& batch, std::vector<Piece>& pieces) {
  for (const auto& group : plan.groups) {
    int partials = 0;
    for (const PlanItem& item : group) {
      const bool request = item.request >= 0 && item.request < batch.size();
      const int64_t rows = request ? int64_t{batch.qo_lens[item.request]} * plan.group_size : 0;
      const bool inside = request && item.row_begin >= 0 && item.row_begin < rows &&
                          item.row_begin % plan.qo_tile == 0 && item.head_begin >= 0 &&
                          item.head_begin < item.head_end && item.head_end <= plan.heads_per_lane;
      if (!inside) return "an item of request " + std::to_string(item.request) + " lies outside";
      if ((item.merge >= 0) != (item.partial_row >= 0)) return "a partial without a merge";
      if (item.merge >= plan.num_merges) return "a merge that does not exist";
      partials += item.merge >= 0;
      for (int head = item.head_begin; head < item.head_end; ++head) {
        pieces.push_back(
            {item.request, item.row_begin, head, item.kv_begin, item.kv_end, item.merge});
      }
    }
    if (partials > 2) return "more than two partials in one group";
  }
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.key() < b.key(); });
  return "";
}

/// The pieces [begin, end) of one tile lie end to end over the keys its rows may see.
std::string check_tile(const PlanList& plan, const BatchShape& batch,
                       const std::vector<Piece>& pieces, size_t begin, size_t end) {
  const Piece& first = pieces[begin];
  const bool split = end - begin > 1;
  int reached = 0;
  for (size_t i = begin; i < end; ++i) {
    if (pieces[i].kv_begin != reached) return where(first) + "keys are missing or covered twice";
    if (split && pieces[i].kv_end <= reached) return where(first) + "an empty piece";
    if (split != (pieces[i].merge >= 0)) return where(first) + "split without a merge";
    if (pieces[i].merge != first.merge) return where(first) + "two merges of one tile";
    reached = pieces[i].kv_end;
  }
  if (reached != visible_end(plan, batch, first)) return where(first) + "the last keys differ";
  return "";
}

/// The list covers the requests that it serves, and nothing else.
std::string check_list(const PlanList& plan, const BatchShape& batch) {
  std::vector<Piece> pieces;
  std::string wrong = check_header(plan, batch);
  if (wrong.empty()) wrong = collect(plan, batch, pieces);
  if (!wrong.empty()) return wrong;
  // The tiles that must be there, in the order of the sorted pieces.
  size_t at = 0;
  for (int request = 0; request < batch.size(); ++request) {
    const int64_t rows = int64_t{batch.qo_lens[request]} * plan.group_size;
    if (!plan.serves(rows)) continue;
    for (int64_t row = 0; row < rows; row += plan.qo_tile) {
      for (int head = 0; head < plan.heads_per_lane; ++head) {
        const Piece wanted{request, static_cast<int>(row), head, 0, 0, -1};
        size_t end = at;
        while (end < pieces.size() && pieces[end].same_tile(wanted)) ++end;
        if (end == at) return where(wanted) + "not covered";
        wrong = check_tile(plan, batch, pieces, at, end);
        if (!wrong.empty()) return wrong;
        at = end;
      }
    }
  }
  return at == pieces.size() ? "" : where(pieces[at]) + "covered twice, or by another list";
}

PlanList view_list(const JsonValue& value) {
  const auto field = [](const JsonValue& object, const char* name) {
    return static_cast<int>(object.at(name).integer(INT_MIN, INT_MAX));
  };
  PlanList list;
  list.least_rows = field(value, "least_rows");
  list.most_rows = field(value, "most_rows");
  list.num_groups = field(value, "num_groups");
  list.head_lanes = field(value, "head_lanes");
  list.heads_per_lane = field(value, "heads_per_lane");
  list.group_size = field(value, "group_size");
  list.qo_tile = field(value, "qo_tile");
  list.kv_tile = field(value, "kv_tile");
  list.num_merges = field(value, "num_merges");
  list.balance = value.at("balance").number;
  for (const JsonValue& group : value.at("groups").array) {
    list.groups.emplace_back();
    for (const JsonValue& i : group.array) {
      list.groups.back().push_back(
          {field(i, "request"), field(i, "row_begin"), field(i, "head_begin"), field(i, "head_end"),
           field(i, "kv_begin"), field(i, "kv_end"), field(i, "merge"), field(i, "partial_row"),
           i.at("cost").integer(0, int64_t{1} << 52)});
    }
  }
  return list;
}

}  // namespace

int64_t group_cost(const PlanGroup& group) {
  int64_t cost = 0;
  for (const PlanItem& item : group) cost += item.cost;
  return cost;
}

int PlanList::num_items() const {
  size_t n = 0;
  for (const auto& group : groups) n += group.size();
  return static_cast<int>(n);
}

std::vector<PlanGroup> PlanView::groups() const {
  std::vector<PlanGroup> all;
  for (const PlanList& list : lists) all.insert(all.end(), list.groups.begin(), list.groups.end());
  return all;
}

PlanView view_plan(const std::string& json) {
  try {
    const JsonValue value = parse_json(json);
    PlanView plan;
    plan.unit = value.at("unit").string;
    plan.batch_size = static_cast<int>(value.at("batch_size").integer(0, INT_MAX));
    for (const JsonValue& list : value.at("lists").array) plan.lists.push_back(view_list(list));
    return plan;
  } catch (const JsonError& error) {
    throw Error(ErrorKind::internal, std::string("plan JSON: ") + error.what());
  }
}

std::string check_plan(const PlanView& plan, const BatchShape& batch) {
  if (plan.batch_size != batch.size()) return "another batch size";
  for (int request = 0; request < batch.size(); ++request) {
    const int64_t rows = int64_t{batch.qo_lens[request]} * batch.group_size();
    const auto lists = std::count_if(plan.lists.begin(), plan.lists.end(),
                                     [&](const PlanList& list) { return list.serves(rows); });
    if (rows > 0 && lists != 1) {
      return "request " + std::to_string(request) + ": served by " + std::to_string(lists) +
             " lists";
    }
  }
  for (const PlanList& list : plan.lists) {
    std::string wrong = check_list(list, batch);
    if (!wrong.empty()) return wrong;
  }
  return "";
}

}  // namespace weft::cli
