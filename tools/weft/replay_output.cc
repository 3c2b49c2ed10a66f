// SPDX-License-Identifier: Apache-2.0
// See replay_output.h: the summary, the text and the JSON. The page is replay_report.cc.
#include "tools/weft/replay_output.h"

#include "tools/weft/format.h"
#include "tools/weft/json.h"
#include "tools/weft/progress.h"
#include "tools/weft/stats.h"

namespace weft::cli {
namespace {

std::string row(const char* label, const std::string& value) {
  return strf("  %-22s %s\n", label, value.c_str());
}

std::string percent(double share) { return strf("%.0f %%", share * 100); }

/// A step of a small model takes microseconds: the unit follows the value.
std::string quantiles(double p50_ms, double p99_ms) {
  return "p50 " + human_time(p50_ms * 1e-3) + ", p99 " + human_time(p99_ms * 1e-3);
}

}  // namespace

bool compute_bound(const StepRecord& step, const ReplayResult& r) {
  return step.work.flops / r.gflops_roof > step.work.bytes / r.gbs_roof;
}

ReplaySummary summarize(const ReplayResult& r) {
  ReplaySummary s;
  std::vector<double> plans, ttft;
  Work compute, memory;
  double compute_s = 0, memory_s = 0, least_s = 0, tokens = 0, weighted_balance = 0;
  for (const StepRecord& step : r.steps) {
    const double attention_s = step.times.attention_us * 1e-6;
    plans.push_back(step.times.weft_plan_us);
    tokens += step.decodes + step.prefill_tokens;
    s.prefill_share += step.prefill_tokens;
    (step.decodes == 0          ? s.prefill_steps
     : step.prefill_tokens == 0 ? s.decode_steps
                                : s.mixed_steps) += 1;
    s.mean_batch += step.batch;
    s.attention_s += attention_s;
    s.append_s += step.times.append_us * 1e-6;
    s.plan_s += step.times.plan_us * 1e-6;
    weighted_balance += step.balance * attention_s;
    s.balance_max = std::max(s.balance_max, step.balance);
    least_s += step.work.seconds(r.gflops_roof, r.gbs_roof);
    (compute_bound(step, r) ? compute : memory) += step.work;
    (compute_bound(step, r) ? compute_s : memory_s) += attention_s;
  }
  const double steps = std::max<double>(1, static_cast<double>(r.steps.size()));
  s.prefill_share /= std::max(1.0, tokens);
  for (double* share : {&s.prefill_steps, &s.decode_steps, &s.mixed_steps, &s.mean_batch}) {
    *share /= steps;
  }
  s.plan_us_p50 = percentile(plans, 50);
  s.plan_us_p99 = percentile(plans, 99);
  if (s.attention_s > 0) s.balance_mean = weighted_balance / s.attention_s;
  if (compute_s > 0) s.gflops = compute.flops / compute_s / 1e9;
  if (memory_s > 0) s.gbs = memory.bytes / memory_s / 1e9;
  if (s.attention_s > 0) s.roof_share = least_s / s.attention_s;
  for (const RequestRecord& request : r.requests) {
    if (request.first_token_s < 0) continue;
    ttft.push_back((request.first_token_s - request.arrival_s) * 1e3);
    s.clock_s = std::max(s.clock_s, request.finish_s);
  }
  s.ttft_ms_p50 = percentile(ttft, 50);
  s.ttft_ms_p99 = percentile(ttft, 99);
  s.gap_ms_p50 = percentile(r.token_gaps_ms, 50);
  s.gap_ms_p99 = percentile(r.token_gaps_ms, 99);
  return s;
}

std::string describe_model(const ReplayOptions& o) {
  std::string text =
      strf("%s: %d/%d heads of %d, %s%s", o.model.name, o.num_qo_heads(), o.num_kv_heads(),
           o.model.head_dim, name_of(o.dtype),
           o.dtype_kv == o.dtype ? "" : (std::string(" on ") + name_of(o.dtype_kv)).c_str());
  if (o.tp > 1) text += strf(", rank 1 of %d (tensor parallel)", o.tp);
  if (o.model.window > 0) text += strf(", window %d", o.model.window);
  if (o.model.window > 0 && o.model.window_every > 1) text += " in every second layer";
  if (o.model.logits_soft_cap > 0) text += strf(", soft cap %g", o.model.logits_soft_cap);
  if (o.model.sinks) text += ", sinks";
  return text + strf("; %d of %d layers", o.layers, o.model.num_layers);
}

std::string replay_header(const ReplayContext& c) {
  const ReplayOptions& o = c.options;
  int64_t prompt = 0, generated = 0;
  Work work;
  for (const TraceRequest& request : c.trace.requests) {
    prompt += request.prompt_tokens;
    generated += request.generated_tokens;
    work += request_work(o, request);
  }
  const double token_bytes =
      2.0 * o.model.head_dim * o.num_kv_heads() * size_of(o.dtype_kv) * o.layers;
  const double cache_bytes = token_bytes * o.num_pages * o.page_size;
  std::string out;
  out += row("trace", strf("%s (%s)", c.path.c_str(), c.trace.format.c_str()));
  out += row("requests",
             strf("%s of %s, arriving over %s: %s prompt and %s generated tokens",
                  grouped(c.trace.requests.size()).c_str(), grouped(c.requests_in_file).c_str(),
                  human_time(c.trace.requests.back().arrival_s / o.speed).c_str(),
                  grouped(prompt).c_str(), grouped(generated).c_str()));
  if (c.requests_capped > 0) {
    out += row("capped", grouped(c.requests_capped) + " requests by --max-prompt, --max-generated");
  }
  out += row("model", describe_model(o));
  out += row("target", to_string(c.target) + ", " + cpu_name());
  out += row("KV cache", strf("%s tokens in pages of %d, %s",
                              grouped(int64_t{o.num_pages} * o.page_size).c_str(), o.page_size,
                              human_bytes(cache_bytes).c_str()));
  out +=
      row("work", human_flops(work.flops) + ", " + human_bytes(work.bytes) + " read and written");
  return out + "\n";
}

std::string replay_table(const ReplayContext& c, const ReplayResult& r) {
  const ReplaySummary s = summarize(r);
  std::string out;
  out += row("requests", grouped(c.trace.requests.size()));
  out += row("tokens", strf("%s prompt (%s from the prefix cache), %s generated",
                            grouped(r.prompt_tokens).c_str(), grouped(r.cached_tokens).c_str(),
                            grouped(r.generated_tokens).c_str()));
  out += row("steps",
             strf("%s: %s mixed, %s decode only, %s prefill only; %.1f requests a step",
                  grouped(r.steps.size()).c_str(), percent(s.mixed_steps).c_str(),
                  percent(s.decode_steps).c_str(), percent(s.prefill_steps).c_str(), s.mean_batch));
  out += row("preemptions", grouped(r.preemptions));
  out += row("time", strf("attention %s, append %s, plan and page tables %s; %s with the checks",
                          human_time(s.attention_s).c_str(), human_time(s.append_s).c_str(),
                          human_time(s.plan_s).c_str(), human_time(r.wall_s).c_str()));
  out += row("first token", quantiles(s.ttft_ms_p50, s.ttft_ms_p99));
  out += row("between tokens", quantiles(s.gap_ms_p50, s.gap_ms_p99));
  out += row("plan", c.target.device == DeviceType::cuda
                         ? "on the GPU, in the step's captured graph"
                         : strf("p50 %.1f us, p99 %.1f us", s.plan_us_p50, s.plan_us_p99));
  out +=
      row("worker balance", strf("max/mean %.3f (worst step %.2f)", s.balance_mean, s.balance_max));
  out += row("arithmetic",
             strf("%.0f GFLOP/s in steps bound by it: %s of %.0f (%s)", s.gflops,
                  percent(s.gflops / r.gflops_roof).c_str(), r.gflops_roof, r.unit.c_str()));
  out += row("memory", strf("%.1f GB/s in steps bound by it: %s of %.1f", s.gbs,
                            percent(s.gbs / r.gbs_roof).c_str(), r.gbs_roof));
  out += row("share of the roofs", percent(s.roof_share) + " over all steps");
  out += row("plans checked", strf("%s, %s wrong", grouped(r.steps.size()).c_str(),
                                   grouped(r.plans_failed).c_str()));
  out += row("rows checked", strf("%s, %s wrong; worst error %.2g, %.2f of what is allowed",
                                  grouped(r.rows_checked).c_str(), grouped(r.rows_failed).c_str(),
                                  r.max_abs_error, r.max_error_share));
  if (!r.ok()) out += row("FIRST FAILURE", r.first_failure);
  return out + (r.ok() ? "every check passed\n" : "FAILED\n");
}

std::string replay_json(const ReplayContext& c, const ReplayResult& r) {
  const ReplaySummary s = summarize(r);
  JsonObject json;
  json.add("requests", static_cast<int64_t>(c.trace.requests.size()));
  json.add("prompt_tokens", r.prompt_tokens).add("generated_tokens", r.generated_tokens);
  json.add("cached_tokens", r.cached_tokens).add("preemptions", r.preemptions);
  json.add("steps", static_cast<int64_t>(r.steps.size())).add("mixed_steps", s.mixed_steps);
  json.add("decode_steps", s.decode_steps).add("prefill_steps", s.prefill_steps);
  json.add("plans_checked", static_cast<int64_t>(r.steps.size()));
  json.add("plans_failed", r.plans_failed);
  json.add("rows_checked", r.rows_checked).add("rows_failed", r.rows_failed);
  json.add("max_abs_error", r.max_abs_error).add("max_error_share", r.max_error_share);
  // 0 on a GPU: plans are part of the captured graph, whose time is attention's.
  json.add("plan_us_p50", s.plan_us_p50).add("plan_us_p99", s.plan_us_p99);
  json.add("balance_max_over_mean", s.balance_mean).add("balance_worst_step", s.balance_max);
  json.add("gflops", s.gflops).add("gflops_roof", r.gflops_roof);
  json.add("gbs", s.gbs).add("gbs_roof", r.gbs_roof).add("roof_share", s.roof_share);
  json.add("ttft_ms_p50", s.ttft_ms_p50).add("ttft_ms_p99", s.ttft_ms_p99);
  json.add("token_ms_p50", s.gap_ms_p50).add("token_ms_p99", s.gap_ms_p99);
  json.add("attention_s", s.attention_s).add("append_s", s.append_s).add("wall_s", r.wall_s);
  json.add("model", c.options.model.name).add("layers", c.options.layers);
  json.add("tp", c.options.tp).add("unit", r.unit).add("threads", c.target.num_threads);
  json.add("device", to_string(Device{c.target.device, c.target.device_index}));
  json.add("device_name", cpu_name()).add("trace", c.path).add("seed", int64_t(c.options.seed));
  return json.str();
}

}  // namespace weft::cli
