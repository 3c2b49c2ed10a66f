// SPDX-License-Identifier: Apache-2.0
// See format.h.
#include "tools/weft/format.h"

#include <cstdio>

namespace weft::cli {
namespace {

std::string scaled(double value, const char* unit) {
  constexpr const char* kPrefixes[] = {"", "K", "M", "G", "T", "P"};
  int i = 0;
  for (; value >= 1000 && i < 5; ++i) value /= 1000;
  return strf(value < 10 && i > 0 ? "%.1f %s%s" : "%.0f %s%s", value, kPrefixes[i], unit);
}

}  // namespace

std::string strf(const char* format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  std::string text(static_cast<size_t>(std::vsnprintf(nullptr, 0, format, args)), '\0');
  va_end(args);
  std::vsnprintf(text.data(), text.size() + 1, format, again);
  va_end(again);
  return text;
}

std::string grouped(int64_t value) {
  std::string text = std::to_string(value);
  const int first = value < 0 ? 1 : 0;
  for (int at = static_cast<int>(text.size()) - 3; at > first; at -= 3) text.insert(at, ",");
  return text;
}

std::string human_bytes(double bytes) { return scaled(bytes, "B"); }
std::string human_flops(double flops) { return scaled(flops, "FLOP"); }

}  // namespace weft::cli
