// SPDX-License-Identifier: Apache-2.0
// Args: the command line's own option parser. Each command lists its options once, as a table that
// parsing, --help and the suggestion for a misspelt flag all read. Knows no command.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace weft::cli {

/// Wrong usage: exit status 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Option {
  std::string name;           // "--requests"
  std::string value;          // "N"; empty = a switch
  std::string default_value;  // shown in --help; empty = none
  std::string help;           // one or more lines
};

struct Command {
  std::string name;       // "replay"
  std::string arguments;  // "TRACE"
  std::string summary;    // one line, for the list of commands
  std::string details;    // paragraphs of --help, before the options
  std::string examples;   // lines of --help, after the options
  int min_positional = 0;
  int max_positional = 0;
  std::vector<Option> options;  // --help and --json are added to every command
};

/// Values of one command line, checked as they are read.
class Args {
 public:
  /// Throws UsageError, naming the nearest option when one is unknown.
  Args(const Command& command, const std::vector<std::string>& words);

  bool has(const std::string& name) const { return given_.count(name) > 0; }
  /// The value given, or the option's default.
  std::string text(const std::string& name) const;
  int64_t integer(const std::string& name, int64_t lo, int64_t hi) const;
  double number(const std::string& name, double lo, double hi) const;
  std::vector<int64_t> integers(const std::string& name, int64_t lo, int64_t hi) const;
  /// Index of the value in `choices`.
  int choice(const std::string& name, const std::vector<std::string>& choices) const;
  const std::vector<std::string>& positional() const { return positional_; }

 private:
  std::map<std::string, std::string> given_;
  std::map<std::string, std::string> defaults_;
  std::vector<std::string> positional_;
};

/// The command's options and those of every command.
std::vector<Option> all_options(const Command& command);

/// The text of `weft COMMAND --help`.
std::string help_of(const Command& command);

/// The candidate closest to `word` in edits, or "" when none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// Strict: the whole text is a decimal integer in [lo, hi]; else UsageError naming `what`.
int64_t parse_integer(const std::string& what, std::string_view text, int64_t lo, int64_t hi);

}  // namespace weft::cli
