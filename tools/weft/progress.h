// SPDX-License-Identifier: Apache-2.0
// Progress: a bar with the time left, on stderr. On a terminal it is one line that is rewritten;
// elsewhere a plain line every ten seconds.
#pragma once

#include <chrono>
#include <string>

namespace weft::cli {

class Progress {
 public:
  explicit Progress(std::string title);
  ~Progress() { finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `share` of the work is done, 0..1; `note` stands behind the bar.
  void update(double share, const std::string& note);
  void finish();

 private:
  std::string title_;
  bool tty_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point begin_, next_;
};

/// "40 ms", "4.1 s", "3 min 20 s", "1 h 5 min".
std::string human_time(double seconds);

}  // namespace weft::cli
