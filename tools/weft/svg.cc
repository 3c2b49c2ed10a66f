// SPDX-License-Identifier: Apache-2.0
// See svg.h. Coordinates are written with one decimal: a tenth of a pixel.
#include "tools/weft/svg.h"

#include <algorithm>
#include <cmath>

#include "tools/weft/format.h"

namespace weft::cli {

std::string escape_html(const std::string& text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

Svg::Svg(double width, double height, const std::string& label) : width_(width), height_(height) {
  body_ = strf(
      "<svg viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" role=\"img\" "
      "aria-label=\"%s\">\n",
      width, height, width, height, escape_html(label).c_str());
}

void Svg::rect(double x, double y, double w, double h, const char* css, const std::string& tip) {
  body_ += strf("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"%s\"", x, y,
                std::max(0.0, w), std::max(0.0, h), css);
  body_ += tip.empty() ? "/>\n" : "><title>" + escape_html(tip) + "</title></rect>\n";
}

void Svg::line(double x1, double y1, double x2, double y2, const char* css) {
  body_ += strf("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x1, y1,
                x2, y2, css);
}

void Svg::circle(double x, double y, double r, const char* css) {
  body_ += strf("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" class=\"%s\"/>\n", x, y, r, css);
}

void Svg::polyline(const std::vector<Point>& points, const char* css) {
  body_ += strf("<polyline class=\"%s\" points=\"", css);
  for (const Point& p : points) body_ += strf("%.1f,%.1f ", p.x, p.y);
  body_ += "\"/>\n";
}

void Svg::area(const std::vector<Point>& points, double base, const char* css) {
  if (points.empty()) return;
  body_ += strf("<polygon class=\"%s\" points=\"%.1f,%.1f ", css, points.front().x, base);
  for (const Point& p : points) body_ += strf("%.1f,%.1f ", p.x, p.y);
  body_ += strf("%.1f,%.1f\"/>\n", points.back().x, base);
}

void Svg::text(double x, double y, const std::string& text, const char* anchor, const char* css) {
  body_ += strf("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">%s</text>\n", x, y,
                anchor, css, escape_html(text).c_str());
}

Scale::Scale(double lo, double hi, double from, double to, bool log)
    : lo_(lo), hi_(hi > lo ? hi : lo + 1), from_(from), to_(to), log_(log) {}

double Scale::operator()(double value) const {
  const double v = std::clamp(value, lo_, hi_);
  const double share = log_ ? std::log(v / lo_) / std::log(hi_ / lo_) : (v - lo_) / (hi_ - lo_);
  return from_ + share * (to_ - from_);
}

std::vector<double> Scale::ticks(int count) const {
  std::vector<double> ticks;
  if (log_) {
    const double decades = std::log10(hi_ / lo_);
    const int every = std::max(1, static_cast<int>(std::ceil(decades / count)));
    for (int e = static_cast<int>(std::ceil(std::log10(lo_) - 1e-9));
         std::pow(10, e) <= hi_ * 1.0001; e += every) {
      ticks.push_back(std::pow(10, e));
    }
    return ticks;
  }
  const double raw = (hi_ - lo_) / std::max(1, count);
  const double magnitude = std::pow(10, std::floor(std::log10(raw)));
  double step = magnitude * 10;
  for (double factor : {5.0, 2.0, 1.0}) {
    if (magnitude * factor >= raw * 0.999) step = magnitude * factor;
  }
  for (double t = std::ceil(lo_ / step) * step; t <= hi_ + step * 1e-6; t += step) {
    ticks.push_back(std::abs(t) < step * 1e-6 ? 0 : t);
  }
  return ticks;
}

std::string tick_label(double value) {
  if (value >= 1e9) return strf("%g G", value / 1e9);
  if (value >= 1e6) return strf("%g M", value / 1e6);
  if (value >= 1000) return grouped(std::llround(value));
  return strf("%g", std::round(value * 1e6) / 1e6);
}

void draw_axes(Svg& svg, const Scale& x, const Scale& y, const std::string& x_title,
               const std::string& y_title, int x_ticks, int y_ticks) {
  for (double t : y.ticks(y_ticks)) {
    svg.line(x.from(), y(t), x.to(), y(t), "grid");
    svg.text(x.from() - 6, y(t) + 4, tick_label(t), "end", "tick");
  }
  if (x_ticks > 0) {
    for (double t : x.ticks(x_ticks)) {
      svg.line(x(t), y.from(), x(t), y.from() + 4, "axis");
      const bool last = x(t) > x.to() - 14;  // would stand out of the drawing
      svg.text(last ? x.to() + 8 : x(t), y.from() + 17, tick_label(t), last ? "end" : "middle",
               "tick");
    }
  }
  svg.line(x.from(), y.from(), x.to(), y.from(), "axis");
  if (!x_title.empty()) svg.text(x.to(), y.from() + 33, x_title, "end", "title");
  if (!y_title.empty()) svg.text(x.from(), y.to() - 9, y_title, "start", "title");
}

}  // namespace weft::cli
