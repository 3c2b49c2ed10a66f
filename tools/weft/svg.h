// SPDX-License-Identifier: Apache-2.0
// Svg: a drawing in text form, and the axes plots need. Colours are CSS classes, so that one page
// serves light and dark. Used by the replay report.
#pragma once

#include <string>
#include <vector>

namespace weft::cli {

std::string escape_html(const std::string& text);

struct Point {
  double x, y;
};

class Svg {
 public:
  /// `label` is what a screen reader says.
  Svg(double width, double height, const std::string& label);

  /// `tip` is shown on hover; empty = none.
  void rect(double x, double y, double w, double h, const char* css, const std::string& tip = "");
  void line(double x1, double y1, double x2, double y2, const char* css);
  void circle(double x, double y, double r, const char* css);
  void polyline(const std::vector<Point>& points, const char* css);
  /// Filled between the points and the horizontal `base`.
  void area(const std::vector<Point>& points, double base, const char* css);
  /// anchor: "start", "middle" or "end".
  void text(double x, double y, const std::string& text, const char* anchor, const char* css = "");
  std::string str() const { return body_ + "</svg>\n"; }
  double width() const { return width_; }
  double height() const { return height_; }

 private:
  double width_, height_;
  std::string body_;
};

/// Maps values to a stretch of the drawing, linearly or by logarithm.
class Scale {
 public:
  Scale(double lo, double hi, double from, double to, bool log = false);
  double operator()(double value) const;
  /// Round numbers within the range, about `count` of them (decades on a log scale).
  std::vector<double> ticks(int count) const;
  double lo() const { return lo_; }
  double hi() const { return hi_; }
  double from() const { return from_; }
  double to() const { return to_; }

 private:
  double lo_, hi_, from_, to_;
  bool log_;
};

/// "0.5", "20", "1,500", "2 M": as short as an axis wants it.
std::string tick_label(double value);

/// Grid lines, tick labels and titles of a plot whose area the two scales span.
void draw_axes(Svg& svg, const Scale& x, const Scale& y, const std::string& x_title,
               const std::string& y_title, int x_ticks, int y_ticks);

}  // namespace weft::cli
