// SPDX-License-Identifier: Apache-2.0
// Benchmark cases: what is run, what it must move and compute, and what is asked of it. The list is
// bench_cases.cc; how a case is timed, bench_measure.cc; how it is printed, bench_command.cc.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tools/weft/json.h"
#include "tools/weft/machine.h"
#include "tools/weft/roof.h"

namespace weft::cli {

struct BenchEnv {
  Target target;
  Threads& threads;
};

/// A case made ready: inputs allocated, plans made.
class BenchRun {
 public:
  virtual ~BenchRun() = default;
  /// The i-th call; inputs rotate with i.
  virtual void call(int i) = 0;
  double flops = 0;  // of one call
  double bytes = 0;
  std::string unit;    // roof of the arithmetic: "cpu_avx512"; empty = none
  double balance = 0;  // max/mean of the workers; 0 = no plan
  /// Inputs that stay in a processor cache, in bytes: the roof is reading that many again and
  /// again. 0 = they come from memory.
  double resident = 0;
};

/// What is asked of a case; 0 = nothing.
struct BenchTarget {
  double share_of_roof = 0;
  double us = 0;
  double tflops = 0;
  double balance = 0;  // at most
};

struct BenchCase {
  std::string id;  // "cpu/decode/b1_l64k_g4"
  JsonObject params;
  BenchTarget target;
  std::function<std::unique_ptr<BenchRun>(BenchEnv&)> make;
};

struct BenchResult {
  double us = 0, us_p10 = 0, us_p90 = 0;
  double roof_us = 0;  // 0 = no roof applies
  double flops = 0, bytes = 0, balance = 0;
  int samples = 0;
  double target_us = 0;  // from the target and the roof of this run; 0 = none
  bool compute_bound = false;
  bool pass = true;

  double share_of_roof() const { return roof_us / us; }
};

std::vector<BenchCase> bench_cases(const Target& target);
BenchResult measure(const BenchCase& bench_case, BenchEnv& env, Roofs& roofs);

}  // namespace weft::cli
