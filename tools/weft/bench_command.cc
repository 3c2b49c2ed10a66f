// SPDX-License-Identifier: Apache-2.0
// `weft bench`: one line a case, its roof beside it.
#include <cstdio>
#include <regex>
#include <utility>

#include "bench/gpu/prefill.h"
#include "tools/weft/bench.h"
#include "tools/weft/bench_cuda.h"
#include "tools/weft/commands.h"
#include "tools/weft/format.h"
#include "tools/weft/progress.h"

namespace weft::cli {
namespace {

const Command kCommand{
    "bench",
    "",
    "measure every operator beside the roofs of this machine",
    "Runs benchmark cases, one line each: the median time, the rate, and the share of the roof: "
    "what\n"
    "this machine does at best for the same arithmetic (in registers) or the same bytes (past the\n"
    "caches), measured between the samples of the case. A case with a target ends in pass or "
    "MISS.\n"
    "For figures worth quoting nothing else should run.",
    "  weft bench --filter prefill\n"
    "  weft bench --filter 'decode/b1.*g4' --json",
    0,
    0,
    {
        {"--filter", "RE", "", "cases whose id contains a match of this regular expression"},
        {"--list", "", "", "list the ids and run nothing"},
        {"--check", "", "", "exit status 1 when a target is missed"},
        device_option(),
        {"--targets", "FILE", "bench/targets.jsonl", "with --device cuda: the cases"},
        threads_option(),
        isa_option(),
        {"--json", "", "", "a line of JSON a case, and nothing else, on stdout"},
    }};

std::string rate(const BenchResult& r) {
  if (r.compute_bound) return strf("%8.3f TFLOP/s", r.flops / r.us / 1e6);
  if (r.bytes > 0) return strf("%8.4f TB/s   ", r.bytes / r.us / 1e6);
  return "               ";
}

void print_line(const BenchCase& c, const BenchResult& r) {
  const double spread = (r.us_p90 - r.us_p10) / 2 / r.us * 100;
  std::printf("%-34s %11.1f us %s%3.0f %%  %s", c.id.c_str(), r.us, "+-", spread, rate(r).c_str());
  if (r.roof_us > 0) {
    std::printf("  %3.0f %% of the roof", r.share_of_roof() * 100);
  } else {
    std::printf("                   ");
  }
  if (r.balance > 0) std::printf("  balance %.3f", r.balance);
  if (r.target_us > 0) std::printf("  target %.1f us", r.target_us);
  if (c.target.balance > 0) std::printf("  target balance %.2f", c.target.balance);
  if (r.target_us > 0 || c.target.balance > 0) std::printf("  %s", r.pass ? "pass" : "MISS");
  std::printf("\n");
}

std::string to_json(const BenchCase& c, const BenchResult& r, const BenchEnv& env) {
  JsonObject json;
  json.add("id", c.id);
  json.append(c.params);
  json.add("us", r.us).add("us_p10", r.us_p10).add("us_p90", r.us_p90).add("samples", r.samples);
  if (r.flops > 0) json.add("tflops", r.flops / r.us / 1e6);
  if (r.bytes > 0) json.add("tbs", r.bytes / r.us / 1e6);
  if (r.roof_us > 0) {
    json.add("roof", r.compute_bound ? "arithmetic" : "memory").add("roof_us", r.roof_us);
    json.add("ratio_to_roof", r.share_of_roof());
  }
  if (r.target_us > 0) json.add("target_us", r.target_us);
  if (r.target_us > 0 && r.compute_bound) json.add("target_tflops", r.flops / r.target_us / 1e6);
  if (r.balance > 0) json.add("balance_max_over_mean", r.balance);
  if (c.target.balance > 0) json.add("target_balance", c.target.balance);
  if (r.target_us > 0 || c.target.balance > 0) json.add("pass", r.pass);
  json.add("device", "cpu").add("isa", name_of(env.target.isa));
  json.add("threads", env.target.num_threads);
  return json.str();
}

std::regex filter_of(const Args& args) {
  try {
    return std::regex(args.text("--filter"));
  } catch (const std::regex_error& error) {
    throw UsageError("--filter: expected a regular expression, got '" + args.text("--filter") +
                     "' (" + error.what() + ")");
  }
}

// The targets' rows of a kind that the filter leaves.
std::vector<bench::Case> cuda_cases(const Args& args, const std::regex& filter,
                                    bench::CaseKind kind) {
  std::vector<bench::Case> cases = bench::read_cases(args.text("--targets"), "", kind);
  std::erase_if(cases, [&](const bench::Case& c) { return !std::regex_search(c.id, filter); });
  return cases;
}

// True when the row's target is met, or there is none.
bool run_prefill(const CudaBackend& backend, const bench::Case& c, bool as_json) {
  constexpr int kRounds = 5;
  const bench::PrefillResult r = bench::measure_prefill(backend, c, {""}, kRounds)[0];
  const double tflops = c.flops() / r.us * 1e-6;
  const bool met = (c.target_tflops == 0 || tflops >= c.target_tflops) &&
                   (c.target_us == 0 || r.us <= c.target_us);
  if (as_json) {
    std::printf("%s\n", bench::to_json(c, r, backend.device_name()).c_str());
  } else {
    std::string line = strf("%-34s %9.1f us %7.1f TFLOP/s, warm %7.1f", c.id.c_str(), r.us, tflops,
                            c.flops() / r.warm_us * 1e-6);
    if (c.target_tflops > 0) line += strf("  target %.0f", c.target_tflops);
    if (c.target_us > 0) line += strf("  target %.0f us", c.target_us);
    std::printf("%s  %s\n", line.c_str(), met ? "pass" : "MISS");
  }
  std::fflush(stdout);
  return met;
}

int run_on_cuda(const Args& args, const std::regex& filter) {
  std::vector<bench::Case> cases = cuda_cases(args, filter, bench::CaseKind::decode);
  const std::vector<bench::Case> prefills = cuda_cases(args, filter, bench::CaseKind::prefill);
  if (cases.empty() && prefills.empty()) {
    throw UsageError("--filter: no case matches; weft bench --list names them");
  }
  if (args.has("--list")) {
    for (const std::vector<bench::Case>* list : {&std::as_const(cases), &prefills}) {
      for (const bench::Case& c : *list) std::printf("%s\n", c.id.c_str());
    }
    return 0;
  }
  const CudaBackend backend;
  if (!args.has("--json")) std::printf("%s\n", backend.device_name().c_str());
  int missed = 0;
  for (const bench::Case& c : cases) {
    const CudaBenchResult r = measure_on_cuda(backend, c);
    missed += c.target_us > 0 && r.us > c.target_us;
    std::printf("%s\n", describe_cuda(c, r, backend.device_name(), args.has("--json")).c_str());
    std::fflush(stdout);
  }
  for (const bench::Case& c : prefills) missed += !run_prefill(backend, c, args.has("--json"));
  std::fprintf(stderr, "%zu cases, %d targets missed\n", cases.size() + prefills.size(), missed);
  return args.has("--check") && missed > 0 ? 1 : 0;
}

int run(const Args& args) {
  const std::regex filter = filter_of(args);
  if (on_cuda(args)) return run_on_cuda(args, filter);
  const Target target =
      target_for(args.text("--isa"), static_cast<int>(args.integer("--threads", 0, 1024)));
  std::vector<BenchCase> cases = bench_cases(target);
  std::erase_if(cases, [&](const BenchCase& c) { return !std::regex_search(c.id, filter); });
  if (cases.empty()) throw UsageError("--filter: no case matches; weft bench --list names them");
  if (args.has("--list")) {
    for (const BenchCase& c : cases) std::printf("%s\n", c.id.c_str());
    return 0;
  }
  Threads threads(target.num_threads);
  BenchEnv env{target, threads};
  Roofs roofs(threads, target);
  if (!args.has("--json")) {
    std::printf("%s, %s\n", cpu_name().c_str(), to_string(target).c_str());
  }
  int asked = 0, missed = 0;
  Progress bar("bench");
  for (size_t i = 0; i < cases.size(); ++i) {
    bar.update(static_cast<double>(i) / static_cast<double>(cases.size()), cases[i].id);
    const BenchResult r = measure(cases[i], env, roofs);
    bar.finish();
    asked += r.target_us > 0 || cases[i].target.balance > 0;
    missed += !r.pass;
    if (args.has("--json")) {
      std::printf("%s\n", to_json(cases[i], r, env).c_str());
    } else {
      print_line(cases[i], r);
    }
    std::fflush(stdout);
  }
  std::fprintf(stderr, "%zu cases, %d of %d targets met\n", cases.size(), asked - missed, asked);
  return args.has("--check") && missed > 0 ? 1 : 0;
}

}  // namespace

const CommandEntry& bench_command() {
  static const CommandEntry entry{kCommand, run};
  return entry;
}

}  // namespace weft::cli
