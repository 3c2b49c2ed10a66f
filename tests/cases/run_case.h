// SPDX-License-Identifier: Apache-2.0
// Runs one row of an attention table and checks everything a run promises: rows against the oracle,
// nothing else written, the same bits on every thread pool. Free of any test framework.
#pragma once

#include <string>
#include <vector>

#include "tests/cases/attention_data.h"
#include "tests/oracle/attention.h"
#include "weft/attention.h"

namespace weft::cases {

/// Exact rows of a case: all of them, or a sample where all would take long.
struct Expected {
  struct Row {
    int64_t request = 0;
    int64_t token = 0;  // within the request
    int head = 0;
    oracle::AttentionRow exact;
  };
  std::vector<Row> rows;
};

/// `budget` counts multiplications; beyond it rows are sampled, the first and last of every request
/// always among them.
Expected expect_rows(const AttentionData& data, uint64_t seed, double budget = 2e7);

/// A comparison. `failure` is empty when every row is within its tolerance.
struct Comparison {
  std::string failure;
  int rows = 0;
  double worst = 0;  // largest error over its tolerance
};

Comparison compare_rows(const AttentionData& data, const Expected& expected);

/// An Attention with its dirty, fenced workspace and plan.
class Runner {
 public:
  Runner(const AttentionConfig& config, const Target& target);

  void plan(const AttentionBatch& batch, const Executor& executor = {});
  /// Poisons the outputs first.
  void run(AttentionData& data, const Executor& executor = {});
  const Attention& attention() const { return attention_; }
  AttentionPlan& plan() { return plan_; }
  const Buffer& workspace() const { return workspace_; }
  /// Overwrites the whole workspace; only a new `plan` makes it usable again.
  void spoil_workspace();

 private:
  Attention attention_;
  Buffer workspace_;
  AttentionPlan plan_;
};

/// Empty when nothing but the elements of o and lse was written since poison_outputs.
std::string find_stray_writes(const AttentionData& data, const Runner& runner);

/// Bits of o and lse.
std::vector<char> output_bits(const AttentionData& data);

/// The whole check of one row of a table on one target: first pool against the oracle, all other
/// pools bit for bit against the first. Empty when right. `worst` as in Comparison.
std::string check_case(const AttentionCase& c, const Target& target, AttentionData& data,
                       const Expected& expected, double* worst = nullptr);
/// On all targets of this host.
std::string check_case(const AttentionCase& c, uint64_t seed, double* worst = nullptr);

}  // namespace weft::cases
