// SPDX-License-Identifier: Apache-2.0
// The command line of the programs of bench/gpu: which rows, how often, which tunings.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "bench/gpu/cases.h"

namespace weft::bench {

struct Options {
  int rounds = 5;
  CaseKind kind = CaseKind::decode;
  std::string targets, filter;
  std::vector<std::string> tunings;  // at least one: "" is the shipped one
};

/// `options`: what stands when the command line does not say otherwise.
inline Options parse(int argc, char** argv, Options options) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto value = [&] { return i + 1 < argc ? std::string(argv[++i]) : std::string(); };
    if (word == "--filter") {
      options.filter = value();
    } else if (word == "--rounds") {
      options.rounds = std::max(1, std::stoi(value()));
    } else if (word == "--decode") {
      options.kind = CaseKind::decode;
    } else if (word == "--try") {
      options.tunings.push_back(value());
    } else {
      options.targets = word;
    }
  }
  if (options.tunings.empty()) options.tunings.push_back("");
  return options;
}

}  // namespace weft::bench
