// SPDX-License-Identifier: Apache-2.0
// `weft explain`: the plan of a batch given by its lengths, or of one step of a trace.
#include <cstdio>
#include <numeric>

#include "examples/engine/scheduler.h"
#include "tools/weft/commands.h"
#include "tools/weft/format.h"
#include "tools/weft/json.h"
#include "tools/weft/machine.h"
#include "tools/weft/models.h"
#include "tools/weft/plan_draw.h"
#include "tools/weft/trace.h"

namespace weft::cli {
namespace {

const Command kCommand{
    "explain",
    "[TRACE]",
    "draw the plan of a batch: who computes what, and when",
    "Plans one batch and draws it: groups of workers from top to bottom, time to the right, a\n"
    "letter a request. The batch is given by its lengths (--qo and --kv), or is step N of a trace\n"
    "scheduled as the engine would. Nothing is computed. Exit status 1 when the plan does not "
    "cover\n"
    "the batch exactly.",
    "  weft explain --qo 1,1,512 --kv 4096,77,8192\n"
    "  weft explain data/traces/azure_llm_2023_conv_300.csv --step 500 --model qwen3-8b",
    0,
    1,
    {
        {"--qo", "N,N,...", "1", "query tokens of each request"},
        {"--kv", "N,N,...", "4096", "KV tokens of each request, the query's included"},
        {"--step", "N", "100", "with TRACE: which step"},
        {"--step-us", "T", "20000", "with TRACE: how long a step lasts"},
        {"--max-batch", "N", "64", "with TRACE: requests in one step"},
        {"--max-batch-tokens", "N", "1024", "with TRACE: tokens in one step"},
        model_option(),
        {"--page-size", "N", "16", "tokens a page holds"},
        {"--batch-invariant", "", "", "the schedule whose bits do not depend on the batch"},
        {"--width", "N", "72", "columns of the drawing"},
        threads_option(),
        isa_option(),
    }};

constexpr int64_t kMostTokens = 1 << 24;

BatchShape shape_of_lengths(const Args& args) {
  BatchShape shape;
  for (int64_t n : args.integers("--qo", 0, kMostTokens)) shape.qo_lens.push_back(int(n));
  for (int64_t n : args.integers("--kv", 0, kMostTokens)) shape.kv_lens.push_back(int(n));
  if (shape.qo_lens.size() == 1) shape.qo_lens.resize(shape.kv_lens.size(), shape.qo_lens[0]);
  if (shape.qo_lens.size() != shape.kv_lens.size()) {
    throw UsageError(strf("--qo, --kv: expected as many lengths in both, got %zu and %zu",
                          shape.qo_lens.size(), shape.kv_lens.size()));
  }
  return shape;
}

/// Runs the engine's scheduler over the trace, without tensors, up to the wanted step.
BatchShape shape_of_step(const Args& args) {
  const Trace trace = read_trace(args.positional()[0]);
  engine::SchedulerLimits limits;
  limits.max_batch_size = static_cast<int>(args.integer("--max-batch", 1, 4096));
  limits.max_batch_tokens =
      static_cast<int>(args.integer("--max-batch-tokens", limits.max_batch_size, 1 << 16));
  const int64_t wanted = args.integer("--step", 1, int64_t{1} << 40);
  const double step_s = args.number("--step-us", 1, 1e9) * 1e-6;
  engine::PagePool pool(1 << 20, static_cast<int>(args.integer("--page-size", 1, 4096)));
  engine::Scheduler scheduler(limits, pool);
  double clock = 0;
  size_t next = 0;
  for (int64_t number = 1;; ++number, clock += step_s) {
    if (scheduler.idle() && next == trace.requests.size()) {
      throw UsageError(strf("--step: expected at most %lld, the last step, got '%lld'",
                            static_cast<long long>(number - 1), static_cast<long long>(wanted)));
    }
    if (scheduler.idle()) clock = std::max(clock, trace.requests[next].arrival_s);
    for (; next < trace.requests.size() && trace.requests[next].arrival_s <= clock; ++next) {
      engine::Request request{
          static_cast<int64_t>(next), {}, trace.requests[next].generated_tokens, std::nullopt};
      request.prompt.assign(trace.requests[next].prompt_tokens, static_cast<int32_t>(next));
      scheduler.add(std::move(request));
    }
    const engine::Step& step = scheduler.schedule();
    if (number == wanted) {
      BatchShape shape;
      for (const engine::Chunk& chunk : step.chunks) {
        shape.qo_lens.push_back(chunk.length);
        shape.kv_lens.push_back(chunk.begin + chunk.length);
      }
      return shape;
    }
    scheduler.commit(std::vector<engine::TokenId>(step.chunks.size(), 0));
  }
}

struct PlanInputs {
  std::vector<int32_t> qo_indptr{0}, kv_indptr{0}, last_page_len, kv_indices;
};

PlanInputs inputs_of(const BatchShape& shape, int page_size) {
  PlanInputs in;
  for (size_t i = 0; i < shape.qo_lens.size(); ++i) {
    const int kv_len = shape.kv_lens[i];
    in.qo_indptr.push_back(in.qo_indptr.back() + shape.qo_lens[i]);
    in.kv_indptr.push_back(in.kv_indptr.back() + (kv_len + page_size - 1) / page_size);
    in.last_page_len.push_back(kv_len == 0 ? 1 : (kv_len - 1) % page_size + 1);
  }
  in.kv_indices.resize(in.kv_indptr.back());
  std::iota(in.kv_indices.begin(), in.kv_indices.end(), 0);
  return in;
}

int run(const Args& args) {
  const ModelShape& model = find_model(args.text("--model"));
  BatchShape shape = args.positional().empty() ? shape_of_lengths(args) : shape_of_step(args);
  shape.num_qo_heads = model.num_qo_heads;
  shape.num_kv_heads = model.num_kv_heads;
  const int page_size = static_cast<int>(args.integer("--page-size", 1, 4096));
  const PlanInputs in = inputs_of(shape, page_size);

  AttentionConfig config;
  config.num_qo_heads = model.num_qo_heads;
  config.num_kv_heads = model.num_kv_heads;
  config.head_dim_qk = model.head_dim;
  config.page_size = page_size;
  if (args.has("--batch-invariant")) config.schedule = ScheduleMode::batch_invariant;
  if (model.window > 0 && model.window_every == 1) config.window_left = model.window - 1;
  config.max_batch_size = std::max<int>(1, static_cast<int>(shape.qo_lens.size()));
  config.max_nnz_qo = std::max(1, in.qo_indptr.back());
  const Attention attention(
      config, target_for(args.text("--isa"), static_cast<int>(args.integer("--threads", 0, 1024))));
  AttentionPlan plan = attention.create_plan();
  const auto view = [](const std::vector<int32_t>& v) {
    return TensorView(v.data(), DType::i32, {static_cast<int64_t>(v.size())});
  };
  attention.plan(AttentionBatch{view(in.qo_indptr), view(in.kv_indptr), view(in.kv_indices),
                                view(in.last_page_len)},
                 plan);
  const std::string json = plan.explain_json();
  const PlanView drawn = view_plan(json);
  const std::string wrong = check_plan(drawn, shape);
  const int width = static_cast<int>(args.integer("--width", 20, 400));
  std::printf("%s\n%s\n%s\n", attention.explain().c_str(), draw_plan(drawn, shape, width).c_str(),
              wrong.empty() ? "checked: every query row meets every key it may see exactly once"
                            : ("WRONG: " + wrong).c_str());
  if (args.has("--json")) std::printf("%s\n", json.c_str());
  return wrong.empty() ? 0 : 1;
}

}  // namespace

const CommandEntry& explain_command() {
  static const CommandEntry entry{kCommand, run};
  return entry;
}

}  // namespace weft::cli
