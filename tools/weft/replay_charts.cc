// SPDX-License-Identifier: Apache-2.0
// See replay_charts.h.
#include "tools/weft/replay_charts.h"

#include <algorithm>
#include <cmath>

#include "tools/weft/format.h"
#include "tools/weft/progress.h"
#include "tools/weft/stats.h"
#include "tools/weft/svg.h"

namespace weft::cli {
namespace {

constexpr double kLeft = 52, kRight = 12;

int x_tick_count(double width) { return width < 500 ? 4 : 8; }

/// Means over equal stretches of the replay's clock, weighted by the steps' own time.
struct Bucket {
  double weight = 0, prefill = 0, decodes = 0, pages = 0;
};

std::vector<Bucket> bucket_steps(const ReplayResult& r, double end_s, int count) {
  std::vector<Bucket> buckets(count);
  for (const StepRecord& step : r.steps) {
    const double step_end = step.begin_s + step.total_us() * 1e-6;
    const auto index = [&](double t) {
      return std::clamp(static_cast<int>(t / end_s * count), 0, count - 1);
    };
    for (int i = index(step.begin_s); i <= index(step_end); ++i) {
      const double lo = std::max(step.begin_s, end_s * i / count);
      const double hi = std::min(step_end, end_s * (i + 1) / count);
      const double weight = std::max(0.0, hi - lo);
      buckets[i].weight += weight;
      buckets[i].prefill += weight * step.prefill_tokens;
      buckets[i].decodes += weight * step.decodes;
      buckets[i].pages += weight * step.pages_used;
    }
  }
  return buckets;
}

struct Panel {
  const char* title;
  const char* css;
  double Bucket::*value;
  double scale;  // from the bucket's mean to what is plotted
};

void draw_panel(Svg& svg, const Panel& panel, const std::vector<Bucket>& buckets, const Scale& x,
                double top, double height, bool last) {
  std::vector<double> values;
  values.reserve(buckets.size());
  for (const Bucket& b : buckets) {
    values.push_back(b.weight > 0 ? b.*panel.value / b.weight * panel.scale : 0);
  }
  const double most = std::max(1.0, *std::max_element(values.begin(), values.end()));
  const Scale y(0, most * 1.05, top + height, top);
  draw_axes(svg, x, y, last ? "seconds on the replay's clock" : "", panel.title,
            last ? x_tick_count(svg.width()) : 0, 3);
  const double step = (x.to() - x.from()) / static_cast<double>(buckets.size());
  std::vector<Point> points;
  for (size_t i = 0; i < values.size(); ++i) {
    const double left = x.from() + step * static_cast<double>(i);
    points.push_back({left, y(values[i])});
    points.push_back({left + step, y(values[i])});
  }
  svg.area(points, y.from(), panel.css);
}

const char* kind_css(const StepRecord& step) {
  if (step.decodes == 0) return "dot prefill";
  return step.prefill_tokens == 0 ? "dot decode" : "dot mixed";
}

/// A histogram over a logarithmic axis with the median and the 99th percentile marked.
std::string histogram(const std::vector<double>& values, const std::string& what, const char* css,
                      double width) {
  const double height = 210, top = 40, bottom = height - 42;
  Svg svg(width, height, "Distribution of " + what);
  if (values.empty()) return svg.str();
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const double lo = std::pow(10, std::floor(std::log10(std::max(1e-3, *least))));
  const double hi = std::max(lo * 10, std::pow(10, std::ceil(std::log10(*most))));
  const Scale x(lo, hi, kLeft, width - kRight, true);
  const int count = static_cast<int>((width - kLeft - kRight) / 9);
  std::vector<double> bins(count);
  for (double value : values) {
    const double share = (x(value) - x.from()) / (x.to() - x.from());
    bins[std::min(count - 1, static_cast<int>(share * count))] += 1;
  }
  const Scale y(0, *std::max_element(bins.begin(), bins.end()) * 1.1, bottom, top);
  draw_axes(svg, x, y, "milliseconds", "", x_tick_count(width), 3);
  const double step = (x.to() - x.from()) / count;
  for (int i = 0; i < count; ++i) {
    if (bins[i] == 0) continue;
    svg.rect(x.from() + i * step + 0.5, y(bins[i]), step - 1, y.from() - y(bins[i]), css,
             strf("%.0f", bins[i]));
  }
  for (double p : {50.0, 99.0}) {
    const double value = percentile(values, p), at = x(value);
    svg.line(at, top - 6, at, bottom, "mark");
    const bool left = at > width * 0.7;
    svg.text(at + (left ? -5 : 5), p == 50.0 ? top + 4 : top - 10,
             strf("p%.0f %s", p, human_time(value / 1e3).c_str()), left ? "end" : "start", "label");
  }
  return svg.str();
}

}  // namespace

std::string chart_batch_mix(const ReplayContext& c, const ReplayResult& r, double width) {
  const double height = 400;
  Svg svg(width, height, "Prefill tokens, decoding requests and KV cache in use over time");
  if (r.steps.empty()) return svg.str();
  const double end = r.steps.back().begin_s + r.steps.back().total_us() * 1e-6;
  const Scale x(0, end, kLeft, width - kRight);
  const auto buckets = bucket_steps(r, end, static_cast<int>((width - kLeft - kRight) / 2));
  const double page_share = 100.0 / std::max(1, c.options.num_pages);
  const Panel panels[] = {{"prefill tokens a step", "fill prefill", &Bucket::prefill, 1},
                          {"decoding requests a step", "fill decode", &Bucket::decodes, 1},
                          {"KV cache in use, %", "fill cache", &Bucket::pages, page_share}};
  for (int i = 0; i < 3; ++i) draw_panel(svg, panels[i], buckets, x, 24 + 118 * i, 86, i == 2);
  return svg.str();
}

std::string chart_timeline(const ReplayResult& r, double width) {
  const std::vector<PlanGroup> groups = r.busiest_plan.groups();
  const double lane = 22, top = 14;
  const double bottom = top + lane * static_cast<double>(groups.size());
  Svg svg(width, bottom + 44, "Work of each group of workers in one step, by request");
  int64_t longest = 1;
  for (const PlanGroup& group : groups) longest = std::max(longest, group_cost(group));
  const Scale x(0, static_cast<double>(longest) / 1e3, kLeft, width - kRight);
  for (double t : x.ticks(x_tick_count(width))) {
    svg.line(x(t), top, x(t), bottom, "grid");
    svg.text(x(t), bottom + 17, tick_label(t), "middle", "tick");
  }
  svg.text(x.to(), bottom + 33, "microseconds, as the schedule estimates them", "end", "title");
  for (size_t g = 0; g < groups.size(); ++g) {
    const double y = top + lane * static_cast<double>(g);
    svg.text(kLeft - 6, y + lane / 2 + 4, std::to_string(g), "end", "tick");
    double at = 0;
    for (const PlanItem& item : groups[g]) {
      const double end = at + static_cast<double>(item.cost) / 1e3;
      const bool decode = item.row_begin == 0 && item.request >= 0 &&
                          item.request < static_cast<int>(r.busiest_qo_lens.size()) &&
                          r.busiest_qo_lens[item.request] == 1;
      const std::string css =
          strf("item %s%s", decode ? "decode" : "prefill", item.request % 2 ? " odd" : "");
      svg.rect(x(at), y + 2, std::max(0.6, x(end) - x(at) - 0.6), lane - 4, css.c_str(),
               strf("request %d, keys %d to %d%s, %.0f us", item.request, item.kv_begin,
                    item.kv_end, item.merge >= 0 ? " (a piece)" : "", end - at));
      at = end;
    }
  }
  return svg.str();
}

std::string chart_roofline(const ReplayResult& r, double width) {
  const double height = 330, top = 34, bottom = height - 44;
  Svg svg(width, height, "Roofline: arithmetic rate over arithmetic intensity of each step");
  double lo = 1, hi = 1000;
  for (const StepRecord& step : r.steps) {
    const double intensity = step.work.flops / std::max(1.0, step.work.bytes);
    lo = std::min(lo, intensity);
    hi = std::max(hi, intensity);
  }
  const Scale x(std::pow(10, std::floor(std::log10(lo))), std::pow(10, std::ceil(std::log10(hi))),
                kLeft, width - kRight, true);
  const double most = std::pow(10, std::ceil(std::log10(r.gflops_roof)));
  const Scale y(most / 1e4, most, bottom, top, true);
  draw_axes(svg, x, y, "FLOP a byte", "GFLOP/s", 6, 5);
  // Evenly picked: a page with every step of a long replay would be slow to draw.
  constexpr size_t kMostDots = 1200;
  const size_t stride = r.steps.size() / kMostDots + 1;
  for (size_t i = 0; i < r.steps.size(); i += stride) {
    const StepRecord& step = r.steps[i];
    const double gflops = step.work.flops / std::max(1e-3, step.times.attention_us) / 1e3;
    svg.circle(x(step.work.flops / std::max(1.0, step.work.bytes)), y(gflops), 2.4, kind_css(step));
  }
  const double ridge = r.gflops_roof / r.gbs_roof;
  svg.polyline({{x(y.lo() / r.gbs_roof), y(y.lo())},
                {x(ridge), y(r.gflops_roof)},
                {x.to(), y(r.gflops_roof)}},
               "roof");
  svg.text(x.to(), y(r.gflops_roof) - 8, strf("%.0f GFLOP/s", r.gflops_roof), "end", "label");
  // Low on the slope, to its right: no step comes there.
  const double low = std::max(x.lo(), y.lo() / r.gbs_roof) * 1.6;
  svg.text(x(low) + 10, y(low * r.gbs_roof) + 6, strf("%.0f GB/s", r.gbs_roof), "start", "label");
  return svg.str();
}

std::string chart_first_token(const ReplayResult& r, double width) {
  std::vector<double> values;
  for (const RequestRecord& request : r.requests) {
    if (request.first_token_s < 0) continue;
    values.push_back((request.first_token_s - request.arrival_s) * 1e3);
  }
  return histogram(values, "the time to the first token", "bar prefill", width);
}

std::string chart_token_gap(const ReplayResult& r, double width) {
  return histogram(r.token_gaps_ms, "the time between tokens", "bar decode", width);
}

}  // namespace weft::cli
