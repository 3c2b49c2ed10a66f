// SPDX-License-Identifier: Apache-2.0
// See replay.h. The replay's clock counts the engine's own time (plan, append, attention) and skips
// idle gaps; making the data and checking the results cost it nothing.
#include "tools/weft/replay.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <unordered_map>

#include "tools/weft/replay_model.h"

namespace weft::cli {
namespace {

using WallClock = std::chrono::steady_clock;

// An FP8 cache stores x / scale; a power of two keeps the synthetic values exact.
constexpr float kFp8Scale = 0.5f;
constexpr double kRoofEverySeconds = 5;

/// Sum over queries at positions [begin, begin + length) of the keys they see.
double pairs_of(int64_t begin, int64_t length, int window) {
  const auto full = [](double b, double n) { return n * b + n * (n + 1) / 2; };
  const double b = static_cast<double>(begin), n = static_cast<double>(length);
  if (window <= 0) return full(b, n);
  const double growing = std::clamp<double>(window - b, 0, n);
  return full(b, growing) + (n - growing) * window;
}

Work layer_work(const ReplayOptions& o, int64_t begin, int64_t length, int window) {
  const double dim = o.model.head_dim;
  const double rows = static_cast<double>(length) * dim * size_of(o.dtype);
  double keys = static_cast<double>(begin + length);
  if (window > 0) keys = std::min<double>(keys, window + static_cast<double>(length) - 1);
  Work work;
  work.flops = 4 * dim * o.num_qo_heads() * pairs_of(begin, length, window);
  work.bytes =
      2 * keys * dim * o.num_kv_heads() * size_of(o.dtype_kv) + 2 * rows * o.num_qo_heads();
  return work;
}

engine::Request make_request(int64_t id, const TraceRequest& from, int64_t& next_token) {
  constexpr int32_t kPromptTokens = 0x3fffffff;  // generated ones lie above
  engine::Request request;
  request.id = id;
  request.max_new_tokens = from.generated_tokens;
  request.prompt.resize(from.prompt_tokens);
  for (int i = 0; i < from.prompt_tokens; ++i) {
    const int64_t token =
        from.blocks.empty() ? next_token++
                            : int64_t{from.blocks[i / kTraceBlock]} * kTraceBlock + i % kTraceBlock;
    request.prompt[i] = static_cast<engine::TokenId>(token & kPromptTokens);
  }
  return request;
}

class Run {
 public:
  Run(const Trace& trace, const ReplayOptions& options, ReplayEngine& engine, ReplayRoofs& roofs,
      Threads& threads)
      : trace_(trace),
        options_(options),
        roofs_(roofs),
        engine_(engine),
        model_(options, threads, result_) {
    result_.unit = engine.unit();
    for (const TraceRequest& request : trace.requests) {
      total_ += request_work(options, request);
      result_.requests.push_back({request.arrival_s / options.speed});
    }
  }

  ReplayResult run(const ReplayProgress& progress) {
    const auto begin = WallClock::now();
    sample_roofs();
    sample_roofs();
    while (admit()) {
      step();
      if (seconds_since(last_roof_) > kRoofEverySeconds) sample_roofs();
      show(progress);
      const int64_t steps = static_cast<int64_t>(result_.steps.size());
      if (options_.max_steps > 0 && steps >= options_.max_steps) break;
    }
    sample_roofs();
    result_.gflops_roof = roofs_.gflops();
    result_.gbs_roof = roofs_.gbs();
    result_.wall_s = seconds_since(begin);
    return std::move(result_);
  }

 private:
  static double seconds_since(WallClock::time_point begin) {
    return std::chrono::duration<double>(WallClock::now() - begin).count();
  }

  void sample_roofs() {
    roofs_.sample();
    last_roof_ = WallClock::now();
  }

  /// Hands over what has arrived by now, or by the next arrival when idle; false at the end.
  bool admit() {
    const auto& requests = trace_.requests;
    if (engine_.scheduler().idle() && next_ < requests.size()) {
      clock_s_ = std::max(clock_s_, result_.requests[next_].arrival_s);
    }
    for (; next_ < requests.size() && result_.requests[next_].arrival_s <= clock_s_; ++next_) {
      engine_.add(make_request(static_cast<int64_t>(next_), requests[next_], next_token_));
    }
    return !engine_.scheduler().idle();
  }

  void step() {
    StepRecord record;
    record.begin_s = clock_s_;
    pending_.clear();
    Listener listener(*this, record);
    const auto finished = engine_.step(listener);
    record.times = engine_.times();
    record.pages_used = options_.num_pages - engine_.pool().num_available();
    clock_s_ += options_.step_us > 0 ? options_.step_us * 1e-6 : record.total_us() * 1e-6;
    for (int64_t id : pending_) count_token(id);
    for (const auto& sequence : finished) finish(*sequence);
    done_ += record.work;
    result_.steps.push_back(record);
  }

  void count_token(int64_t id) {
    RequestRecord& request = result_.requests[id];
    ++result_.generated_tokens;
    if (request.first_token_s < 0) {
      request.first_token_s = clock_s_;
    } else {
      result_.token_gaps_ms.push_back((clock_s_ - last_token_s_[id]) * 1e3);
    }
    last_token_s_[id] = clock_s_;
  }

  void finish(const engine::Sequence& sequence) {
    RequestRecord& request = result_.requests[sequence.request.id];
    request.finish_s = clock_s_;
    request.prompt_tokens = static_cast<int>(sequence.request.prompt.size());
    request.generated_tokens = sequence.num_generated();
    request.cached_tokens = sequence.num_cached;
    request.preemptions = sequence.num_preemptions;
    result_.prompt_tokens += request.prompt_tokens;
    result_.cached_tokens += request.cached_tokens;
    result_.preemptions += request.preemptions;
    last_token_s_.erase(sequence.request.id);
  }

  void show(const ReplayProgress& progress) const {
    const double all = total_.seconds(roofs_.gflops(), roofs_.gbs());
    const double done = done_.seconds(roofs_.gflops(), roofs_.gbs());
    char note[96];
    std::snprintf(note, sizeof note, "step %zu, %zu running, %zu waiting, %zu to come",
                  result_.steps.size(), engine_.scheduler().num_running(),
                  engine_.scheduler().num_waiting(), trace_.requests.size() - next_);
    progress(all > 0 ? done / all : 1, note);
  }

  /// Stands between engine and model to note what a step holds.
  class Listener final : public engine::Model {
   public:
    Listener(Run& run, StepRecord& record) : run_(run), record_(record) {}
    void begin_step(const engine::StepView& view) override {
      record_.batch = view.batch_size();
      record_.decodes = view.step->num_decodes;
      record_.prefill_tokens = view.num_tokens() - view.step->num_decodes;
      record_.preempted = view.step->num_preempted;
      record_.balance = view.plan->balance();
      for (const engine::Chunk& chunk : view.step->chunks) {
        record_.work += chunk_work(run_.options_, chunk.begin, chunk.length);
        if (chunk.predicts()) run_.pending_.push_back(chunk.sequence->request.id);
      }
      run_.model_.begin_step(view);
    }
    engine::LayerOptions before_attention(int layer, const engine::StepView& view,
                                          const engine::LayerTensors& tensors) override {
      return run_.model_.before_attention(layer, view, tensors);
    }
    void after_attention(int layer, const engine::StepView& view,
                         const engine::LayerTensors& tensors) override {
      run_.model_.after_attention(layer, view, tensors);
    }
    std::vector<engine::TokenId> predict(const engine::StepView& view) override {
      return run_.model_.predict(view);
    }

   private:
    Run& run_;
    StepRecord& record_;
  };

  const Trace& trace_;
  ReplayOptions options_;
  ReplayResult result_;
  ReplayRoofs& roofs_;
  ReplayEngine& engine_;
  ReplayModel model_;
  Work total_, done_;
  double clock_s_ = 0;
  size_t next_ = 0;
  int64_t next_token_ = 0;
  std::vector<int64_t> pending_;  // requests that get a token this step
  std::unordered_map<int64_t, double> last_token_s_;
  WallClock::time_point last_roof_;
};

}  // namespace

Work chunk_work(const ReplayOptions& options, int64_t begin, int64_t length) {
  Work work;
  for (int layer = 0; layer < options.layers; ++layer) {
    const bool window = options.model.window > 0 && layer % options.model.window_every == 0;
    work += layer_work(options, begin, length, window ? options.model.window : 0);
  }
  return work;
}

Work request_work(const ReplayOptions& options, const TraceRequest& request) {
  const int64_t prompt = request.prompt_tokens, generated = request.generated_tokens - 1;
  Work work = chunk_work(options, 0, prompt);
  // A token at a time: the arithmetic adds up as in one chunk; each reads the keys before it anew.
  Work decode = chunk_work(options, prompt, generated);
  const Work last = chunk_work(options, prompt + generated, 1);
  const Work first = chunk_work(options, prompt, 1);
  decode.bytes = static_cast<double>(generated) * (first.bytes + last.bytes) / 2;
  work += decode;
  return work;
}

engine::EngineConfig engine_config(const ReplayOptions& o) {
  engine::EngineConfig config;
  AttentionConfig& a = config.attention;
  a.dtype_q = o.dtype;
  a.dtype_kv = o.dtype_kv;
  a.num_qo_heads = o.num_qo_heads();
  a.num_kv_heads = o.num_kv_heads();
  a.head_dim_qk = o.model.head_dim;
  a.page_size = o.page_size;
  a.kv_layout = o.kv_layout;
  a.schedule = o.schedule;
  if (o.model.window > 0 && o.model.window_every == 1) a.window_left = o.model.window - 1;
  config.limits = o.limits;
  config.num_layers = o.layers;
  config.num_pages = o.num_pages;
  if (is_fp8(o.dtype_kv)) config.k_scale = config.v_scale = kFp8Scale;
  return config;
}

ReplayResult run_replay(const Trace& trace, const ReplayOptions& options, ReplayEngine& engine,
                        ReplayRoofs& roofs, Threads& threads, const ReplayProgress& progress) {
  return Run(trace, options, engine, roofs, threads).run(progress);
}

ReplayResult run_replay(const Trace& trace, const ReplayOptions& options, const Target& target,
                        Threads& threads, Roofs& roofs, const ReplayProgress& progress) {
  const auto engine = make_host_engine(engine_config(options), target, threads.executor());
  const auto host_roofs = make_host_roofs(roofs, engine->unit());
  return run_replay(trace, options, *engine, *host_roofs, threads, progress);
}

}  // namespace weft::cli
