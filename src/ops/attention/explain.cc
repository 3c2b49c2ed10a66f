// SPDX-License-Identifier: Apache-2.0
// See explain.h. Reads a plan, changes nothing; off the hot path.
#include "src/ops/attention/explain.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "src/ops/attention/plan.h"
#include "src/ops/attention/select.h"

namespace weft {
namespace {

using detail::AttentionPlanImpl;

constexpr int kBarWidth = 60;
constexpr int kMostGroupsDrawn = 32;

int64_t group_load(const PlanLists& lists, int g) {
  int64_t load = 0;
  for (int32_t i = lists.work_indptr[g]; i < lists.work_indptr[g + 1]; ++i) {
    load += item_cost(lists.schedule, lists.lengths, lists.items[i]);
  }
  return load;
}

char letter(int request) {
  constexpr char kLetters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return kLetters[request % (sizeof(kLetters) - 1)];
}

// One row: each item as long as its cost, drawn with its request's letter.
std::string group_bar(const PlanLists& lists, int g, int64_t longest) {
  const int32_t* indptr = lists.work_indptr;
  const WorkItem* items = lists.items;
  std::string bar;
  int64_t done = 0;
  for (int32_t i = indptr[g]; i < indptr[g + 1]; ++i) {
    done += item_cost(lists.schedule, lists.lengths, items[i]);
    const double share = static_cast<double>(done) / static_cast<double>(longest);
    const size_t end = static_cast<size_t>(std::lround(share * kBarWidth));
    if (end > bar.size()) bar.append(end - bar.size(), letter(items[i].request));
    if (items[i].merge >= 0 && !bar.empty()) bar.back() = '|';
  }
  return bar;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3f", value);
  return text;
}

void append_item(const PlanLists& lists, const WorkItem& item, std::string& out) {
  char text[224];
  std::snprintf(text, sizeof(text),
                "{\"request\":%d,\"row_begin\":%d,\"head_begin\":%d,\"head_end\":%d,"
                "\"kv_begin\":%d,\"kv_end\":%d,\"merge\":%d,\"partial_row\":%d,\"cost\":%lld}",
                item.request, item.row_begin, item.head_begin, item.head_end, item.kv_begin,
                item.kv_end, item.merge, item.partial_row,
                static_cast<long long>(item_cost(lists.schedule, lists.lengths, item)));
  out += text;
}

double balance_of(const PlanLists& lists) {
  return plan_balance(lists.schedule, lists.lengths, lists.summary, lists.work_indptr, lists.items);
}

std::string draw_list(const PlanLists& lists) {
  const PlanSummary& s = lists.summary;
  const ScheduleSpec& spec = lists.schedule;
  std::string out = std::to_string(s.num_items) + " items, " + std::to_string(s.num_merges) +
                    " tiles split; balance max/mean " + number(balance_of(lists)) + "\n";
  int64_t longest = 1;
  for (int g = 0; g < spec.num_groups; ++g) longest = std::max(longest, group_load(lists, g));
  out += "groups (each runs on " + std::to_string(spec.head_lanes) +
         " lanes), a letter a request, | where a tile is split:\n";
  const int shown = std::min(spec.num_groups, kMostGroupsDrawn);
  for (int g = 0; g < shown; ++g) {
    char label[16];
    std::snprintf(label, sizeof(label), "%5d  ", g);
    out += label + group_bar(lists, g, longest) + "\n";
  }
  if (shown < spec.num_groups) {
    out += "   ... " + std::to_string(spec.num_groups - shown) + " more groups\n";
  }
  return out;
}

std::string list_json(const PlanLists& lists) {
  const ScheduleSpec& s = lists.schedule;
  std::string out = "{";
  const auto field = [&](const char* name, int64_t value) {
    out += std::string("\"") + name + "\":" + std::to_string(value) + ",";
  };
  field("least_rows", s.least_rows);
  field("most_rows", s.most_rows);
  field("num_groups", s.num_groups);
  field("head_lanes", s.head_lanes);
  field("heads_per_lane", s.heads_per_lane);
  field("group_size", s.group_size);
  field("qo_tile", s.qo_tile);
  field("kv_tile", s.kv_tile);
  field("num_merges", lists.summary.num_merges);
  const int32_t* indptr = lists.work_indptr;
  out += "\"balance\":" + number(indptr == nullptr ? 1.0 : balance_of(lists)) + ",\"groups\":[";
  for (int g = 0; indptr != nullptr && g < s.num_groups; ++g) {
    out += g > 0 ? ",[" : "[";
    for (int32_t i = indptr[g]; i < indptr[g + 1]; ++i) {
      if (i > indptr[g]) out += ",";
      append_item(lists, lists.items[i], out);
    }
    out += "]";
  }
  return out + "]}";
}

}  // namespace

std::string explain_plan(const AttentionPlanImpl& plan) {
  std::string out =
      to_string(plan.config) + "\n" + explain_selection(plan.config, plan.target, plan.spec);
  if (!plan.planned) return out + "no batch planned yet\n";
  const std::vector<PlanLists> lists = plan.backend->lists(plan);
  out += "batch: " + std::to_string(lists[0].summary.batch_size) + " requests, " +
         std::to_string(lists[0].nnz_qo) + " query tokens; " + draw_list(lists[0]);
  if (lists.size() > 1) {
    out += "short queries, at the same time: " + draw_list(lists[1]);
  }
  return out;
}

std::string explain_plan_json(const AttentionPlanImpl& plan) {
  std::vector<PlanLists> lists;
  if (plan.planned) {
    lists = plan.backend->lists(plan);
  } else {
    lists.emplace_back().schedule = plan.spec.schedule;
  }
  std::string out = std::string("{\"unit\":\"") + name_of(plan.spec.unit) +
                    "\",\"batch_size\":" + std::to_string(lists[0].summary.batch_size) +
                    ",\"lists\":[" + list_json(lists[0]);
  for (size_t i = 1; i < lists.size(); ++i) out += "," + list_json(lists[i]);
  return out + "]}";
}

}  // namespace weft
