// SPDX-License-Identifier: Apache-2.0
// Small replays of made-up traces: every request finishes with its lengths, every check passes for
// each kind of model, shared prefixes are found, and what is shown is well formed.
#include "tools/weft/replay.h"

#include <gtest/gtest.h>

#include "tools/weft/json.h"
#include "tools/weft/replay_model.h"
#include "tools/weft/replay_output.h"
#include "tools/weft/stack_engine.h"

namespace weft::cli {
namespace {

Trace small_trace() {
  Trace trace;
  trace.format = "azure csv";
  for (int i = 0; i < 6; ++i) {
    TraceRequest request;
    request.arrival_s = 0.02 * i;
    request.prompt_tokens = 30 + 90 * (i % 3);
    request.generated_tokens = 1 + 5 * i;
    trace.requests.push_back(request);
  }
  return trace;
}

ReplayOptions small_options() {
  ReplayOptions options;
  options.model = {"tiny", "none", 2, 8, 2, 64};
  options.layers = 2;
  options.num_pages = 64;
  options.limits = {4, 64};
  options.step_us = 5000;
  return options;
}

// Roofs take a while to make, so all tests of this program share one.
struct Machine {
  Machine() : threads(2), roofs(threads, Target::host()) { target.num_threads = 2; }
  Threads threads;
  Target target = Target::host();
  Roofs roofs;
};

Machine& the_machine() {
  static Machine machine;
  return machine;
}

ReplayResult replay(const Trace& trace, const ReplayOptions& options) {
  Machine& machine = the_machine();
  return run_replay(trace, options, machine.target, machine.threads, machine.roofs,
                    [](double, const std::string&) {});
}

// A stack of layers over padded tensors, as a GPU captures it, run by the host instead.
class HostStack final : public StackDevice {
 public:
  explicit HostStack(Threads& threads) : executor_(threads.executor()) {}
  engine::Memory& memory() override { return memory_; }
  Executor executor() override { return executor_; }
  double run(const std::function<void()>& enqueue) override {
    enqueue();
    return 1000;
  }

 private:
  engine::HostMemory memory_;
  Executor executor_;
};

ReplayResult replay_stack(const Trace& trace, const ReplayOptions& options) {
  Machine& machine = the_machine();
  const engine::EngineConfig config = engine::completed(engine_config(options));
  HostStack device(machine.threads);
  Attention attention(config.attention, machine.target);
  const std::string unit = view_plan(attention.create_plan().explain_json()).unit;
  const auto engine = make_stack_engine(
      config, std::move(attention), Append(engine::append_config(config.attention), machine.target),
      device, unit);
  const auto roofs = make_host_roofs(machine.roofs, unit);
  return run_replay(trace, options, *engine, *roofs, machine.threads,
                    [](double, const std::string&) {});
}

void expect_all_done(const Trace& trace, const ReplayResult& result) {
  EXPECT_TRUE(result.ok()) << result.first_failure;
  EXPECT_GT(result.rows_checked, 0);
  EXPECT_LE(result.max_error_share, 1);
  for (size_t i = 0; i < trace.requests.size(); ++i) {
    EXPECT_EQ(result.requests[i].prompt_tokens, trace.requests[i].prompt_tokens);
    EXPECT_EQ(result.requests[i].generated_tokens, trace.requests[i].generated_tokens);
    EXPECT_GE(result.requests[i].first_token_s, result.requests[i].arrival_s);
    EXPECT_GE(result.requests[i].finish_s, result.requests[i].first_token_s);
  }
}

struct Variation {
  const char* name;
  void (*change)(ReplayOptions& options);
};

class ReplayVariation : public testing::TestWithParam<Variation> {};

TEST_P(ReplayVariation, PassesEveryCheck) {
  ReplayOptions options = small_options();
  GetParam().change(options);
  const Trace trace = small_trace();
  expect_all_done(trace, replay(trace, options));
}

INSTANTIATE_TEST_SUITE_P(
    All, ReplayVariation,
    testing::Values(Variation{"plain", [](auto&) {}},
                    Variation{"f32", [](auto& o) { o.dtype = o.dtype_kv = DType::f32; }},
                    Variation{"f16", [](auto& o) { o.dtype = o.dtype_kv = DType::f16; }},
                    Variation{"kv_e4m3", [](auto& o) { o.dtype_kv = DType::e4m3; }},
                    Variation{"kv_e5m2", [](auto& o) { o.dtype_kv = DType::e5m2; }},
                    Variation{"hnd", [](auto& o) { o.kv_layout = KvLayout::hnd; }},
                    Variation{"page_size_1", [](auto& o) { o.page_size = 1, o.num_pages = 1024; }},
                    Variation{"page_size_37", [](auto& o) { o.page_size = 37; }},
                    Variation{"batch_invariant",
                              [](auto& o) { o.schedule = ScheduleMode::batch_invariant; }},
                    Variation{"window", [](auto& o) { o.model.window = 50; }},
                    Variation{"every_second_window",
                              [](auto& o) { o.model.window = 50, o.model.window_every = 2; }},
                    Variation{"soft_cap", [](auto& o) { o.model.logits_soft_cap = 20; }},
                    Variation{"sinks", [](auto& o) { o.model.sinks = true; }},
                    Variation{"tensor_parallel", [](auto& o) { o.tp = 2; }},
                    Variation{"one_by_one", [](auto& o) { o.limits.max_batch_size = 1; }}),
    [](const auto& info) { return info.param.name; });

TEST(Replay, AStackOfFixedSizeServesEveryStep) {
  ReplayOptions options = small_options();
  options.model.sinks = true;
  options.model.window = 40;
  options.model.window_every = 2;
  const Trace trace = small_trace();
  const ReplayResult stacked = replay_stack(trace, options);
  expect_all_done(trace, stacked);
  const ReplayResult plain = replay(trace, options);
  ASSERT_EQ(stacked.steps.size(), plain.steps.size());
  EXPECT_EQ(stacked.max_abs_error, plain.max_abs_error) << "the same rows, the same bits";
}

TEST(Replay, SurvivesPreemption) {
  ReplayOptions options = small_options();
  options.num_pages = 15;  // three requests begin with 4 each and grow to 10
  Trace trace;
  for (int i = 0; i < 3; ++i) trace.requests.push_back({0, 60, 100, {}});
  const ReplayResult result = replay(trace, options);
  expect_all_done(trace, result);
  EXPECT_GT(result.preemptions, 0);
}

TEST(Replay, FindsSharedPrefixes) {
  Trace trace;
  trace.format = "mooncake jsonl";
  for (int i = 0; i < 3; ++i) {
    TraceRequest request;
    request.arrival_s = i;
    request.prompt_tokens = 700;
    request.generated_tokens = 2;
    request.blocks = {0, i + 1};
    trace.requests.push_back(request);
  }
  ReplayOptions options = small_options();
  options.num_pages = 256;
  const ReplayResult result = replay(trace, options);
  expect_all_done(trace, result);
  EXPECT_EQ(result.cached_tokens, 2 * 512);
}

// The checks see what they are there for: one page table entry of a running request is exchanged.
TEST(Replay, NoticesAWrongPage) {
  ReplayOptions options = small_options();
  options.check_rows = 16;
  engine::EngineConfig config;
  config.attention.num_qo_heads = options.num_qo_heads();
  config.attention.num_kv_heads = options.num_kv_heads();
  config.attention.head_dim_qk = options.model.head_dim;
  config.attention.page_size = options.page_size;
  config.limits = options.limits;
  config.num_layers = options.layers;
  config.num_pages = options.num_pages;
  engine::HostMemory memory;
  engine::Engine engine(config, memory);
  Threads threads(1);
  ReplayResult result;
  result.unit = view_plan(engine.plan().explain_json()).unit;
  ReplayModel model(options, threads, result);
  for (int id = 0; id < 2; ++id) {
    engine.add({id, std::vector<engine::TokenId>(60, 5 + id), 40, std::nullopt});
  }
  for (int i = 0; i < 10; ++i) engine.step(model);
  EXPECT_TRUE(result.ok()) << result.first_failure;
  std::swap(engine.scheduler().find(0)->pages[1], engine.scheduler().find(1)->pages[1]);
  for (int i = 0; i < 3; ++i) engine.step(model);
  EXPECT_GT(result.rows_failed, 10);
  EXPECT_NE(result.first_failure.find("times what is allowed"), std::string::npos);
}

TEST(Replay, IsTheSameOnAFixedClock) {
  const Trace trace = small_trace();
  const ReplayResult a = replay(trace, small_options()), b = replay(trace, small_options());
  ASSERT_EQ(a.steps.size(), b.steps.size());
  EXPECT_EQ(a.max_abs_error, b.max_abs_error);
  for (size_t i = 0; i < a.requests.size(); ++i) {
    EXPECT_EQ(a.requests[i].finish_s, b.requests[i].finish_s);
  }
}

TEST(Replay, CountsWorkAsTheStepsDo) {
  const Trace trace = small_trace();
  for (int window : {0, 50}) {
    ReplayOptions options = small_options();
    options.model.window = window;
    Work expected, actual;
    for (const TraceRequest& request : trace.requests) expected += request_work(options, request);
    for (const StepRecord& step : replay(trace, options).steps) actual += step.work;
    EXPECT_NEAR(actual.flops, expected.flops, expected.flops * 1e-9);
  }
}

TEST(ReplayOutput, IsWellFormed) {
  ReplayContext context;
  context.path = "a<b>.csv";
  context.trace = small_trace();
  context.requests_in_file = 6;
  context.options = small_options();
  context.target = Target::host();
  const ReplayResult result = replay(context.trace, context.options);
  const JsonValue json = parse_json(replay_json(context, result));
  for (const char* name : {"requests", "prompt_tokens", "generated_tokens", "steps", "rows_checked",
                           "rows_failed", "max_abs_error", "plan_us_p50", "plan_us_p99",
                           "balance_max_over_mean", "gflops", "gflops_roof", "gbs", "gbs_roof"}) {
    EXPECT_EQ(json.at(name).kind, JsonValue::Kind::number) << name;
  }
  EXPECT_EQ(json.at("device").string, "cpu");
  EXPECT_GT(parse_json(replay_trace_events(context, result)).at("traceEvents").array.size(), 20u);
  const std::string page = replay_report(context, result);
  EXPECT_NE(page.find("a&lt;b&gt;.csv"), std::string::npos);
  for (const char* foreign : {"http://", "https://", "<script", "nan", "inf\""}) {
    EXPECT_EQ(page.find(foreign), std::string::npos) << foreign;
  }
}

}  // namespace
}  // namespace weft::cli
