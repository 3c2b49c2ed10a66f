// SPDX-License-Identifier: Apache-2.0
// What the option parser says to people: the help of a command, and the nearest word.
#include <algorithm>
#include <sstream>

#include "tools/weft/args.h"

namespace weft::cli {
namespace {

int edits(std::string_view a, std::string_view b) {
  std::vector<int> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

}  // namespace

std::vector<Option> all_options(const Command& command) {
  std::vector<Option> all = command.options;
  const auto is_json = [](const Option& option) { return option.name == "--json"; };
  if (std::none_of(all.begin(), all.end(), is_json)) {
    all.push_back({"--json", "", "", "end with one line of JSON; progress goes to stderr"});
  }
  all.push_back({"--help", "", "", "this text"});
  return all;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  int least = static_cast<int>(word.size()) / 2 + 1;  // more than half wrong is no misspelling
  for (const std::string& candidate : candidates) {
    const int distance =
        candidate.starts_with(word) && word.size() > 3 ? 1 : edits(word, candidate);
    if (distance >= least) continue;
    least = distance;
    best = candidate;
  }
  return best;
}

std::string help_of(const Command& command) {
  std::ostringstream out;
  out << "weft " << command.name << (command.arguments.empty() ? "" : " " + command.arguments)
      << " [options]\n\n"
      << command.details << "\n\noptions:\n";
  constexpr size_t kColumn = 26;
  for (const Option& option : all_options(command)) {
    std::string left = "  " + option.name + (option.value.empty() ? "" : " " + option.value);
    if (left.size() + 2 > kColumn) {
      out << left << "\n" << std::string(kColumn, ' ');
    } else {
      out << left << std::string(kColumn - left.size(), ' ');
    }
    for (char c : option.help) {
      out << c;
      if (c == '\n') out << std::string(kColumn, ' ');
    }
    if (!option.default_value.empty()) out << " [" << option.default_value << "]";
    out << "\n";
  }
  if (!command.examples.empty()) out << "\nexamples:\n" << command.examples << "\n";
  return out.str();
}

}  // namespace weft::cli
