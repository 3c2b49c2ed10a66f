// SPDX-License-Identifier: Apache-2.0
// `weft replay`: from the command line to ReplayOptions, and from a ReplayResult to a verdict.
#include <cstdio>
#include <fstream>

#include "tools/weft/commands.h"
#include "tools/weft/format.h"
#include "tools/weft/progress.h"
#include "tools/weft/replay.h"
#include "tools/weft/replay_output.h"
#include "tools/weft/stack_cuda.h"

namespace weft::cli {
namespace {

const Command kCommand{
    "replay",
    "TRACE",
    "replay a serving trace through the engine's attention, checked and measured",
    "Replays the requests of TRACE (Azure CSV or Mooncake JSONL) with continuous batching: "
    "arrivals\n"
    "in time, shared prefixes, chunked prefill and decode mixed, append and attention for every\n"
    "layer. Keys and values are synthetic; lengths are the trace's. Every step's plan is checked "
    "for\n"
    "exact coverage, and random output rows against a float64 reference that looks at neither "
    "cache\n"
    "nor page tables. Exit status 1 when a check failed.\n"
    "\n"
    "With --device cuda, plan, append and attention of all layers are one captured graph, replayed "
    "each\n"
    "step over tensors of fixed size; --tp and --layers are then 1 and 4.\n"
    "\n"
    "The clock counts plan, append and attention and skips idle gaps. GFLOP/s are those of steps\n"
    "bound by arithmetic, GB/s those of steps bound by memory, each beside the roof of this "
    "machine\n"
    "measured during the run.",
    "  weft replay data/traces/azure_llm_2023_conv_300.csv\n"
    "  weft replay trace.jsonl --model qwen-7b --requests 50 --report out.html",
    1,
    1,
    {
        model_option(),
        {"--requests", "N", "200", "replay the first N requests; 0 = all"},
        {"--layers", "L", "", "layers to run; default: see --tp"},
        {"--tp", "T", "",
         "run the heads of one tensor-parallel rank of T. Without --layers\n"
         "and --tp, the largest share of the model (4 layers down to 1 layer\n"
         "of one rank) that should take under 4 minutes here"},
        {"--page-size", "N", "16", "tokens a page of the KV cache holds"},
        {"--kv-layout", "NAME", "nhd", "nhd or hnd"},
        {"--dtype", "NAME", "bf16", "of q and o: bf16, f16 or f32"},
        {"--kv-dtype", "NAME", "", "of the cache: bf16, f16, f32, e4m3 or e5m2; default: --dtype"},
        {"--kv-tokens", "N", "",
         "tokens the cache holds; default: 2 GB (cuda: 16), and the longest\nrequest"},
        {"--max-batch", "N", "64", "requests in one step"},
        {"--max-batch-tokens", "N", "1024", "tokens in one step: what prefill is cut to"},
        {"--max-prompt", "N", "", "cut longer prompts to N tokens (counted in the table)"},
        {"--max-generated", "N", "", "cut longer answers to N tokens (counted in the table)"},
        {"--batch-invariant", "", "", "the schedule whose bits do not depend on the batch"},
        {"--speed", "X", "1", "arrivals X times as fast"},
        {"--step-us", "T", "", "a step lasts T us on the clock: the same batches on any machine"},
        {"--max-steps", "N", "0", "stop after N steps; 0 = at the end"},
        {"--check-rows", "K", "2", "rows checked per step, over all layers; 0 = none"},
        {"--seed", "N", "0", "of the synthetic data and of the rows checked"},
        {"--report", "FILE", "", "write one HTML page with plots"},
        {"--trace-events", "FILE", "", "write steps for ui.perfetto.dev or chrome://tracing"},
        device_option(),
        threads_option(),
        isa_option(),
    }};

DType dtype_named(const Args& args, const char* option, std::vector<std::string> names) {
  const int i = args.choice(option, names);
  for (DType d : {DType::f32, DType::f16, DType::bf16, DType::e4m3, DType::e5m2}) {
    if (names[i] == name_of(d)) return d;
  }
  return DType::none;
}

ReplayOptions options_of(const Args& args) {
  ReplayOptions o;
  o.model = find_model(args.text("--model"));
  o.page_size = static_cast<int>(args.integer("--page-size", 1, 4096));
  o.kv_layout = args.choice("--kv-layout", {"nhd", "hnd"}) == 0 ? KvLayout::nhd : KvLayout::hnd;
  o.dtype = dtype_named(args, "--dtype", {"bf16", "f16", "f32"});
  o.dtype_kv = o.dtype;
  if (args.has("--kv-dtype")) {
    o.dtype_kv = dtype_named(args, "--kv-dtype", {"bf16", "f16", "f32", "e4m3", "e5m2"});
  }
  o.limits.max_batch_size = static_cast<int>(args.integer("--max-batch", 1, 4096));
  o.limits.max_batch_tokens =
      static_cast<int>(args.integer("--max-batch-tokens", o.limits.max_batch_size, 1 << 16));
  if (args.has("--batch-invariant")) o.schedule = ScheduleMode::batch_invariant;
  o.speed = args.number("--speed", 1e-3, 1e6);
  if (args.has("--step-us")) o.step_us = args.number("--step-us", 1, 1e9);
  o.max_steps = args.integer("--max-steps", 0, int64_t{1} << 40);
  o.check_rows = static_cast<int>(args.integer("--check-rows", 0, 1 << 16));
  o.seed = static_cast<uint64_t>(args.integer("--seed", 0, INT64_MAX));
  return o;
}

/// Applies --requests and the caps; says how many requests a cap changed.
int cut_trace(Trace& trace, const Args& args) {
  const auto n = static_cast<size_t>(args.integer("--requests", 0, kMaxTraceRequests));
  if (n > 0 && n < trace.requests.size()) trace.requests.resize(n);
  const auto cap = [&](const char* name) {
    return args.has(name) ? static_cast<int>(args.integer(name, 1, kMaxTraceTokens))
                          : static_cast<int>(kMaxTraceTokens);
  };
  const int max_prompt = cap("--max-prompt"), max_generated = cap("--max-generated");
  int changed = 0;
  for (TraceRequest& request : trace.requests) {
    changed += request.prompt_tokens > max_prompt || request.generated_tokens > max_generated;
    request.prompt_tokens = std::min(request.prompt_tokens, max_prompt);
    request.generated_tokens = std::min(request.generated_tokens, max_generated);
  }
  return changed;
}

double estimate_seconds(const Trace& trace, const ReplayOptions& o, double gflops, double gbs) {
  // Prefill and decode share steps, so either bound may hide behind the other; what a loaded
  // machine reaches of its roofs is about half.
  Work work;
  for (const TraceRequest& request : trace.requests) work += request_work(o, request);
  return (work.flops / gflops + work.bytes / gbs) / 0.5e9;
}

bool divides_heads(const ReplayOptions& o, int tp) {
  return o.model.num_kv_heads % tp == 0 && o.model.num_qo_heads % tp == 0;
}

/// Layers and tp as the command line says; `layers` where it does not.
void read_share(const Args& args, int layers, ReplayOptions& o) {
  o.tp = args.has("--tp") ? static_cast<int>(args.integer("--tp", 1, 1024)) : 1;
  if (!divides_heads(o, o.tp)) {
    throw UsageError("--tp: expected a divisor of " + std::to_string(o.model.num_kv_heads) +
                     " KV heads, got '" + args.text("--tp") + "'");
  }
  o.layers = args.has("--layers") ? static_cast<int>(args.integer("--layers", 1, 1024)) : layers;
}

/// Fills in layers and tp as --help says.
void choose_share(const Args& args, const Trace& trace, const Target& target, Roofs& roofs,
                  ReplayOptions& o) {
  if (args.has("--layers") || args.has("--tp")) return read_share(args, 2, o);
  constexpr double kLongestSeconds = 240;
  AttentionConfig config;
  config.dtype_q = o.dtype;
  config.dtype_kv = o.dtype_kv;
  config.num_qo_heads = o.model.num_qo_heads;
  config.num_kv_heads = o.model.num_kv_heads;
  config.head_dim_qk = o.model.head_dim;
  config.page_size = o.page_size;
  config.max_batch_size = config.max_nnz_qo = 1;
  const RoofUnit& unit =
      roof_unit(view_plan(Attention(config, target).create_plan().explain_json()).unit);
  roofs.sample_unit(unit);
  roofs.sample_memory();
  for (const auto& [tp, layers] : {std::pair{1, 4}, {1, 2}, {2, 2}, {4, 2}, {8, 2}, {8, 1}}) {
    if (!divides_heads(o, tp)) continue;
    o.tp = tp;
    o.layers = layers;
    const double seconds = estimate_seconds(trace, o, roofs.gflops(unit), roofs.memory_gbs());
    if (seconds < kLongestSeconds) return;
  }
}

void choose_pages(const Args& args, const Trace& trace, double cache_bytes, ReplayOptions& o) {
  int64_t longest = 1, all = 0;
  for (const TraceRequest& request : trace.requests) {
    const int64_t tokens = int64_t{request.prompt_tokens} + request.generated_tokens;
    longest = std::max(longest, tokens);
    all += tokens + o.page_size;
  }
  const double token_bytes =
      2.0 * o.model.head_dim * o.num_kv_heads() * size_of(o.dtype_kv) * o.layers;
  const auto affordable = static_cast<int64_t>(cache_bytes / token_bytes);
  int64_t tokens = std::max(longest, std::min(all, affordable));
  if (args.has("--kv-tokens")) tokens = args.integer("--kv-tokens", 1, int64_t{1} << 32);
  if (tokens < longest) {
    throw UsageError("--kv-tokens: expected at least " + std::to_string(longest) +
                     ", the longest request, got '" + args.text("--kv-tokens") + "'");
  }
  o.num_pages = static_cast<int>((tokens + o.page_size - 1) / o.page_size);
}

/// Asked before the replay, which may take minutes. Appends nothing, so an older file stays whole.
void check_writable(const Args& args, const char* option) {
  if (!args.has(option)) return;
  if (!std::ofstream(args.text(option), std::ios::binary | std::ios::app)) {
    throw UsageError(std::string(option) + ": " + args.text(option) + " cannot be written");
  }
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw UsageError(path + ": cannot be written");
  std::fprintf(stderr, "wrote %s (%s)\n", path.c_str(),
               human_bytes(static_cast<double>(text.size())).c_str());
}

int show(const Args& args, const ReplayContext& context, const ReplayResult& result) {
  std::printf("%s", replay_table(context, result).c_str());
  if (args.has("--report")) write_file(args.text("--report"), replay_report(context, result));
  if (args.has("--trace-events")) {
    write_file(args.text("--trace-events"), replay_trace_events(context, result));
  }
  if (args.has("--json")) std::printf("%s\n", replay_json(context, result).c_str());
  return result.ok() ? 0 : 1;
}

void show_header(const ReplayContext& context) {
  std::printf("%s", replay_header(context).c_str());
  std::fflush(stdout);
}

int run_on_cuda(const Args& args, ReplayContext& context, Threads& threads) {
  const CudaBackend backend;
  context.target = backend.target();
  read_share(args, 4, context.options);
  choose_pages(args, context.trace, 16e9, context.options);
  show_header(context);
  Progress bar("replay");
  const ReplayResult result =
      run_replay_cuda(context.trace, context.options, backend, threads,
                      [&](double share, const std::string& note) { bar.update(share, note); });
  bar.finish();
  return show(args, context, result);
}

int run_on_cpu(const Args& args, ReplayContext& context, Threads& threads) {
  Roofs roofs(threads, context.target);
  choose_share(args, context.trace, context.target, roofs, context.options);
  choose_pages(args, context.trace, 2e9, context.options);
  show_header(context);
  Progress bar("replay");
  const ReplayResult result =
      run_replay(context.trace, context.options, context.target, threads, roofs,
                 [&](double share, const std::string& note) { bar.update(share, note); });
  bar.finish();
  return show(args, context, result);
}

int run(const Args& args) {
  ReplayContext context;
  context.options = options_of(args);
  context.target =
      target_for(args.text("--isa"), static_cast<int>(args.integer("--threads", 0, 1024)));
  const bool cuda = on_cuda(args);
  check_writable(args, "--report");
  check_writable(args, "--trace-events");
  Threads threads(context.target.num_threads);
  context.path = args.positional()[0];
  context.trace = read_trace(context.path);
  context.requests_in_file = context.trace.requests.size();
  context.requests_capped = cut_trace(context.trace, args);
  return cuda ? run_on_cuda(args, context, threads) : run_on_cpu(args, context, threads);
}

}  // namespace

const CommandEntry& replay_command() {
  static const CommandEntry entry{kCommand, run};
  return entry;
}

}  // namespace weft::cli
