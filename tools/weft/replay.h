// SPDX-License-Identifier: Apache-2.0
// Replay: a serving trace driven through the engine's attention load, checked as it goes. This is
// the run itself; replay_command.cc reads the command line and prints, replay_report.cc draws.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "examples/engine/engine.h"
#include "tools/weft/machine.h"
#include "tools/weft/models.h"
#include "tools/weft/plan_view.h"
#include "tools/weft/replay_engine.h"
#include "tools/weft/trace.h"

namespace weft::cli {

struct ReplayOptions {
  ModelShape model{};
  int tp = 1;      // heads are those of one tensor-parallel rank of so many
  int layers = 1;  // layers that are run; each has its own cache and data
  DType dtype = DType::bf16;
  DType dtype_kv = DType::bf16;
  KvLayout kv_layout = KvLayout::nhd;
  int page_size = 16;
  int num_pages = 0;
  engine::SchedulerLimits limits;
  ScheduleMode schedule = ScheduleMode::deterministic;
  double speed = 1;    // arrivals come so many times faster
  double step_us = 0;  // > 0: a step lasts so long on the replay's clock, whatever it took
  int check_rows = 2;  // a step
  uint64_t seed = 0;
  int64_t max_steps = 0;  // 0 = all

  int num_qo_heads() const { return model.num_qo_heads / tp; }
  int num_kv_heads() const { return model.num_kv_heads / tp; }
};

/// Arithmetic and memory traffic of attention, of all layers.
struct Work {
  double flops = 0;
  double bytes = 0;
  Work& operator+=(const Work& other) {
    flops += other.flops;
    bytes += other.bytes;
    return *this;
  }
  double seconds(double gflops, double gbs) const {
    return std::max(flops / gflops, bytes / gbs) / 1e9;
  }
};

/// Work of `length` query tokens that follow `begin` cached ones.
Work chunk_work(const ReplayOptions& options, int64_t begin, int64_t length);
/// Work of a whole request: one prefill, then token by token. No prefix is taken as cached.
Work request_work(const ReplayOptions& options, const TraceRequest& request);

struct StepRecord {
  double begin_s = 0;  // on the replay's clock
  engine::StepTimes times;
  int batch = 0, decodes = 0, prefill_tokens = 0, preempted = 0, pages_used = 0;
  Work work;
  double balance = 1;
  double total_us() const { return times.total_us(); }
};

struct RequestRecord {
  double arrival_s = 0, first_token_s = -1, finish_s = -1;
  int prompt_tokens = 0, generated_tokens = 0, cached_tokens = 0, preemptions = 0;
};

struct ReplayResult {
  std::vector<StepRecord> steps;
  std::vector<RequestRecord> requests;
  std::vector<double> token_gaps_ms;  // between tokens of one request
  int64_t prompt_tokens = 0, generated_tokens = 0, cached_tokens = 0, preemptions = 0;
  int64_t rows_checked = 0, rows_failed = 0, plans_failed = 0;
  double max_abs_error = 0, max_error_share = 0;
  std::string first_failure;
  std::string unit;
  double gflops_roof = 0, gbs_roof = 0;
  double wall_s = 0;
  PlanView busiest_plan;  // of the step with most of decode and prefill together
  std::vector<int> busiest_qo_lens;
  size_t busiest_step = 0;

  bool ok() const { return rows_failed == 0 && plans_failed == 0; }
};

/// Shows the share of the work done, and a note. Called after every step.
using ReplayProgress = std::function<void(double share, const std::string& note)>;

/// What the engine of a replay is made of.
engine::EngineConfig engine_config(const ReplayOptions& options);

/// `threads` are for making the data and checking the results.
ReplayResult run_replay(const Trace& trace, const ReplayOptions& options, ReplayEngine& engine,
                        ReplayRoofs& roofs, Threads& threads, const ReplayProgress& progress);

/// On this host.
ReplayResult run_replay(const Trace& trace, const ReplayOptions& options, const Target& target,
                        Threads& threads, Roofs& roofs, const ReplayProgress& progress);

}  // namespace weft::cli
