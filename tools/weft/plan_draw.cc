// SPDX-License-Identifier: Apache-2.0
// See plan_draw.h. Lengths on the time axis are the schedule's own estimate.
#include "tools/weft/plan_draw.h"

#include <algorithm>

#include "tools/weft/format.h"

namespace weft::cli {
namespace {

std::string draw_group(const PlanGroup& items, int64_t longest, int width) {
  std::string bar;
  int64_t done = 0;
  for (const PlanItem& item : items) {
    done += item.cost;
    const auto end = static_cast<size_t>((done * width + longest / 2) / longest);
    if (end <= bar.size()) continue;  // shorter than a column
    bar.append(end - bar.size(), request_letter(item.request));
    if (item.merge >= 0) bar.back() = '|';
  }
  return bar;
}

std::string draw_legend(const PlanView& plan, const BatchShape& batch) {
  constexpr int kMostShown = 26;
  std::string out;
  for (int r = 0; r < std::min(plan.batch_size, kMostShown); ++r) {
    out += strf("    %c  request %d: %d new, %d in the KV cache\n", request_letter(r), r,
                batch.qo_lens[r], batch.kv_lens[r]);
  }
  if (plan.batch_size > kMostShown) {
    out += strf("       and %d more requests\n", plan.batch_size - kMostShown);
  }
  return out;
}

std::string draw_list(const PlanList& list, const BatchShape& batch, int width) {
  int64_t longest = 1;
  for (const PlanGroup& group : list.groups) longest = std::max(longest, group_cost(group));
  std::string out = strf(
      "%d workers = %d groups of %d; each worker of a group runs the group's "
      "list for %d of the %d KV heads\n",
      list.num_groups * list.head_lanes, list.num_groups, list.head_lanes, list.heads_per_lane,
      batch.num_kv_heads);
  out += strf("%d items, %d tiles split over the KV, balance max/mean %.3f\n\n", list.num_items(),
              list.num_merges, list.balance);
  const std::string scale = strf("%.0f us", static_cast<double>(longest) / 1e3);
  const int gap = std::max(1, width - 4 - static_cast<int>(scale.size()));
  out += "  group  0 us" + std::string(gap, ' ') + scale + "\n";
  for (int g = 0; g < list.num_groups; ++g) {
    out += strf("  %5d  %s\n", g, draw_group(list.groups[g], longest, width).c_str());
  }
  return out + "\n";
}

}  // namespace

char request_letter(int request) {
  constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  return kLetters[request % (sizeof kLetters - 1)];
}

std::string draw_plan(const PlanView& plan, const BatchShape& batch, int width) {
  std::string out;
  for (const PlanList& list : plan.lists) out += draw_list(list, batch, width);
  out +=
      "  a letter is a request, | the end of a piece of a split tile; time as the schedule "
      "estimates it\n";
  return out + draw_legend(plan, batch);
}

}  // namespace weft::cli
