// SPDX-License-Identifier: Apache-2.0
// What replay shows: text, one line of JSON, an HTML page, trace events. Each is a pure function of
// the context and the result.
#pragma once

#include <string>

#include "tools/weft/replay.h"

namespace weft::cli {

struct ReplayContext {
  std::string path;
  Trace trace;  // cut to what is replayed
  size_t requests_in_file = 0;
  int requests_capped = 0;
  ReplayOptions options;
  Target target;
};

/// Figures that text, JSON and page share.
struct ReplaySummary {
  double prefill_share = 0;                                     // of tokens
  double mixed_steps = 0, decode_steps = 0, prefill_steps = 0;  // shares of steps
  double mean_batch = 0;
  double plan_us_p50 = 0, plan_us_p99 = 0;
  double balance_mean = 1, balance_max = 1;  // of steps, weighted by attention time; and worst
  double gflops = 0, gbs = 0;                // of steps bound by each
  double roof_share = 0;                     // least time by the roofs over time taken
  double ttft_ms_p50 = 0, ttft_ms_p99 = 0, gap_ms_p50 = 0, gap_ms_p99 = 0;
  double attention_s = 0, append_s = 0, plan_s = 0, clock_s = 0;
};

ReplaySummary summarize(const ReplayResult& result);

/// "qwen-7b: 28/4 heads of 128, 2 of 28 layers".
std::string describe_model(const ReplayOptions& options);
/// True for a step whose least time by the roofs is set by arithmetic.
bool compute_bound(const StepRecord& step, const ReplayResult& result);

std::string replay_header(const ReplayContext& context);
std::string replay_table(const ReplayContext& context, const ReplayResult& result);
std::string replay_json(const ReplayContext& context, const ReplayResult& result);
std::string replay_report(const ReplayContext& context, const ReplayResult& result);
std::string replay_trace_events(const ReplayContext& context, const ReplayResult& result);

}  // namespace weft::cli
