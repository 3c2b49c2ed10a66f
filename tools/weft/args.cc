// SPDX-License-Identifier: Apache-2.0
// See args.h. Accepts --name value, --name=value and, after --, positional words only.
#include "tools/weft/args.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

namespace weft::cli {
namespace {

[[noreturn]] void fail(const std::string& what, const std::string& expected, std::string_view got) {
  throw UsageError(what + ": expected " + expected + ", got '" + std::string(got) + "'");
}

}  // namespace

int64_t parse_integer(const std::string& what, std::string_view text, int64_t lo, int64_t hi) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || value < lo || value > hi) {
    fail(what, "an integer from " + std::to_string(lo) + " to " + std::to_string(hi), text);
  }
  return value;
}

Args::Args(const Command& command, const std::vector<std::string>& words) {
  const std::vector<Option> options = all_options(command);
  std::vector<std::string> names;
  for (const Option& option : options) {
    names.push_back(option.name);
    defaults_[option.name] = option.default_value;
  }
  bool only_positional = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (only_positional || !word.starts_with("-") || word == "-") {
      positional_.push_back(word);
      continue;
    }
    if (word == "--") {
      only_positional = true;
      continue;
    }
    const size_t equals = word.find('=');
    const std::string name = word == "-h" ? "--help" : word.substr(0, equals);
    const auto option = std::find_if(options.begin(), options.end(),
                                     [&](const Option& o) { return o.name == name; });
    if (option == options.end()) {
      const std::string near = nearest(name, names);
      throw UsageError(name + ": no such option of `weft " + command.name + "`" +
                       (near.empty() ? "" : "; did you mean " + near + "?"));
    }
    if (has(name)) throw UsageError(name + ": given twice");
    if (option->value.empty()) {
      if (equals != std::string::npos) throw UsageError(name + ": takes no value");
      given_[name] = "";
    } else if (equals != std::string::npos) {
      given_[name] = word.substr(equals + 1);
    } else if (i + 1 < words.size()) {
      given_[name] = words[++i];
    } else {
      throw UsageError(name + ": expected a value (" + option->value + ")");
    }
  }
  const int count = static_cast<int>(positional_.size());
  if (has("--help")) return;
  if (count < command.min_positional) throw UsageError("expected " + command.arguments);
  if (count > command.max_positional) {
    throw UsageError("'" + positional_[command.max_positional] + "': one argument too many");
  }
}

std::string Args::text(const std::string& name) const {
  const auto given = given_.find(name);
  return given != given_.end() ? given->second : defaults_.at(name);
}

int64_t Args::integer(const std::string& name, int64_t lo, int64_t hi) const {
  return parse_integer(name, text(name), lo, hi);
}

double Args::number(const std::string& name, double lo, double hi) const {
  const std::string value = text(name);
  double result = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  const bool whole = error == std::errc() && end == value.data() + value.size();
  if (!whole || !std::isfinite(result) || result < lo || result > hi) {
    std::ostringstream range;
    range << "a number from " << lo << " to " << hi;
    fail(name, range.str(), value);
  }
  return result;
}

std::vector<int64_t> Args::integers(const std::string& name, int64_t lo, int64_t hi) const {
  std::vector<int64_t> values;
  std::istringstream stream(text(name));
  for (std::string part; std::getline(stream, part, ',');) {
    values.push_back(parse_integer(name, part, lo, hi));
  }
  if (values.empty()) fail(name, "integers separated by commas", text(name));
  return values;
}

int Args::choice(const std::string& name, const std::vector<std::string>& choices) const {
  const std::string value = text(name);
  const auto found = std::find(choices.begin(), choices.end(), value);
  if (found != choices.end()) return static_cast<int>(found - choices.begin());
  std::string list;
  for (const std::string& choice : choices) list += (list.empty() ? "" : ", ") + choice;
  const std::string near = nearest(value, choices);
  fail(name, "one of " + list + (near.empty() ? "" : " (did you mean " + near + "?)"), value);
}

}  // namespace weft::cli
