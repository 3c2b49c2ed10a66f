// SPDX-License-Identifier: Apache-2.0
// The seam between the operator and its CPU code: one table of functions per instruction set,
// compiled with that set's flags. Called by run.cc; knows specs and params, never tensors.
#pragma once

#include <atomic>
#include <cstddef>

#include "kernels/attention/params.h"
#include "kernels/attention/spec.h"

namespace weft {

/// Lanes that run an item list together.
struct LaneRange {
  int first;
  int count;
};

struct AttentionCpuUnit {
  /// Bytes a thread needs beside its stack; a multiple of 64.
  size_t (*scratch_bytes)(const AttentionSpec& spec);
  /// Called by each thread of a run before its first item: fills the tables of its scratch, sets up
  /// the processor (AMX tiles).
  void (*begin)(const AttentionSpec& spec, void* scratch);
  /// Computes items for some lanes in order, and merges each tile of which the last piece arrives.
  void (*run_items)(const AttentionSpec& spec, const AttentionParams& params, const WorkItem* items,
                    int count, LaneRange lanes, void* scratch);
  /// Called after the last item: leaves the processor as `begin` found it.
  void (*end)();
};

/// Throws Error(unsupported) when `unit` is not built for this architecture.
const AttentionCpuUnit& attention_cpu_unit(AttentionUnit unit);

/// Runs workers of the plan, taken one by one from `ticket`, until none is left. Called by each
/// thread of a run, `threads` in all, with a scratch of its own.
void attention_cpu_worker(const AttentionCpuUnit& unit, const AttentionSpec& spec,
                          const AttentionParams& params, std::atomic<int>& ticket, int threads,
                          void* scratch);

// One per unit file; reached through attention_cpu_unit.
extern const AttentionCpuUnit kAttentionScalar;
extern const AttentionCpuUnit kAttentionAvx2;
extern const AttentionCpuUnit kAttentionAvx512;
extern const AttentionCpuUnit kAttentionAvx512Bf16;
extern const AttentionCpuUnit kAttentionAmxBf16;

}  // namespace weft
