// SPDX-License-Identifier: Apache-2.0
// What every schedule must satisfy, whoever made it (host, one CTA, a test): written from the
// comments of kernels/core/work.h. Knows lengths and lists only, and no test framework.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/plan/partition.h"
#include "tests/cases/random.h"

namespace weft::cases {

/// Lengths of a batch, ragged.
struct BatchOfLengths {
  std::vector<int32_t> qo_indptr{0};
  std::vector<int32_t> kv_indptr{0};

  void add(int qo, int kv) {
    qo_indptr.push_back(qo_indptr.back() + qo);
    kv_indptr.push_back(kv_indptr.back() + kv);
  }
  int size() const { return static_cast<int>(qo_indptr.size()) - 1; }
  BatchLengths view() const { return {qo_indptr.data(), kv_indptr.data(), nullptr, 0}; }
};

struct PlanLists {
  PlanCapacity capacity;
  PlanSummary summary;
  std::vector<int32_t> work_indptr;
  std::vector<WorkItem> items;
  std::vector<MergeItem> merges;
  bool overrun = false;  // something was written behind a list's capacity
};

/// Capacities for the limits, then a partition into lists of exactly that size.
PlanLists make_plan(const ScheduleSpec& spec, const BatchOfLengths& batch, int max_batch_size,
                    int max_nnz_qo);

/// Empty when `plan` is a right schedule of `batch`; else the first thing that is wrong.
std::string check_plan(const ScheduleSpec& spec, const BatchOfLengths& batch,
                       const PlanLists& plan);

/// Counts how often each (row, head, visible key) is covered; for small batches. Empty when once.
std::string check_coverage(const ScheduleSpec& spec, const BatchOfLengths& batch,
                           const PlanLists& plan);

/// Cost of each group by the model.
std::vector<int64_t> group_loads(const ScheduleSpec& spec, const BatchOfLengths& batch,
                                 const PlanLists& plan);

ScheduleSpec random_spec(Random& random);
/// One of several shapes of load: tiny, uniform, one giant, power law, more queries than keys.
BatchOfLengths random_batch(Random& random, int batch_size, int max_kv);

std::string print(const ScheduleSpec& spec);

}  // namespace weft::cases
