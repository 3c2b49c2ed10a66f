// SPDX-License-Identifier: Apache-2.0
// See progress.h.
#include "tools/weft/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace weft::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kBarWidth = 28;

bool is_terminal() {
  const char* term = std::getenv("TERM");  // what every terminal program asks, not an API of weft
  return isatty(STDERR_FILENO) == 1 && term != nullptr && std::strcmp(term, "dumb") != 0;
}

}  // namespace

std::string human_time(double seconds) {
  char text[48];
  const int64_t s = std::llround(seconds);
  if (seconds < 1) {
    std::snprintf(text, sizeof text, seconds < 0.01 ? "%.2g ms" : "%.0f ms", seconds * 1e3);
  } else if (seconds < 10) {
    std::snprintf(text, sizeof text, "%.1f s", seconds);
  } else if (s < 60) {
    std::snprintf(text, sizeof text, "%d s", static_cast<int>(s));
  } else if (s < 3600) {
    std::snprintf(text, sizeof text, "%d min %d s", static_cast<int>(s / 60),
                  static_cast<int>(s % 60));
  } else {
    std::snprintf(text, sizeof text, "%d h %d min", static_cast<int>(s / 3600),
                  static_cast<int>(s / 60 % 60));
  }
  return text;
}

Progress::Progress(std::string title)
    : title_(std::move(title)), tty_(is_terminal()), begin_(Clock::now()), next_(begin_) {}

void Progress::update(double share, const std::string& note) {
  const auto now = Clock::now();
  if (now < next_) return;
  next_ = now + (tty_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10'000));
  share = std::clamp(share, 0.0, 1.0);
  const double elapsed = std::chrono::duration<double>(now - begin_).count();
  std::string left;
  if (share > 0.01 && elapsed > 1) {
    left = ", " + human_time(elapsed * (1 - share) / share) + " left";
  }
  if (!tty_) {
    std::fprintf(stderr, "%s: %.0f %%%s  %s\n", title_.c_str(), share * 100, left.c_str(),
                 note.c_str());
    return;
  }
  std::string bar;
  const double filled = share * kBarWidth;
  for (int i = 0; i < kBarWidth; ++i) {
    bar += i + 1 <= filled ? "\u2588" : i + 0.5 <= filled ? "\u258c" : "\u2591";
  }
  std::fprintf(stderr, "\r\x1b[K%s %s %3.0f %%%s  %s", title_.c_str(), bar.c_str(), share * 100,
               left.c_str(), note.c_str());
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::finish() {
  if (drawn_) std::fprintf(stderr, "\r\x1b[K");
  drawn_ = false;
}

}  // namespace weft::cli
