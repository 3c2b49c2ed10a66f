// SPDX-License-Identifier: Apache-2.0
// The machine a command runs on: its threads, lent to weft and to the tool's own loops alike, and
// its name. Knows no operator.
#pragma once

#include <string>

#include "src/cpu/parallel.h"
#include "weft/weft.h"

namespace weft::cli {

/// Threads of one command (`--threads`), as an executor for weft and for loops of its own.
class Threads {
 public:
  explicit Threads(int count);
  int count() const { return pool_.num_threads(); }
  const Executor& executor() const { return executor_; }

  /// Calls f(i) for each i in [0, n).
  template <class F>
  void each(int n, F&& f) {
    parallel_for(executor_, n, f);
  }

 private:
  ThreadPool pool_;
  ParallelFor parallel_for_;
  Executor executor_;
};

/// The target of `--isa NAME` (empty = the best one) and `--threads N` (0 = all usable).
/// Throws Error(invalid_argument) for an ISA that this machine does not have.
Target target_for(const std::string& isa, int threads);

/// "AMD EPYC", or "unknown CPU".
std::string cpu_name();

}  // namespace weft::cli
