// SPDX-License-Identifier: Apache-2.0
// The events of `weft replay --trace-events`: Chrome's trace format, which Perfetto reads. Three
// processes: the engine's steps, the requests' lives, the plan of the busiest step.
#include "tools/weft/format.h"
#include "tools/weft/json.h"
#include "tools/weft/replay_output.h"

namespace weft::cli {
namespace {

constexpr int kEngine = 1, kRequests = 2, kPlan = 3;

class Events {
 public:
  void span(int process, int thread, const std::string& name, double begin_us, double length_us,
            const std::string& args = "{}") {
    add(
        strf("{\"ph\": \"X\", \"pid\": %d, \"tid\": %d, \"name\": %s, \"ts\": %.3f, \"dur\": %.3f, "
             "\"args\": %s}",
             process, thread, json_quote(name).c_str(), begin_us, length_us, args.c_str()));
  }
  void counter(const char* name, double at_us, double value) {
    add(
        strf("{\"ph\": \"C\", \"pid\": %d, \"name\": \"%s\", \"ts\": %.3f, \"args\": {\"value\": "
             "%g}}",
             kEngine, name, at_us, value));
  }
  void name_process(int process, const std::string& name) {
    add(strf("{\"ph\": \"M\", \"pid\": %d, \"name\": \"process_name\", \"args\": {\"name\": %s}}",
             process, json_quote(name).c_str()));
  }
  std::string str() const { return "{\"traceEvents\": [\n" + body_ + "\n]}\n"; }

 private:
  void add(const std::string& event) { body_ += (body_.empty() ? "" : ",\n") + event; }
  std::string body_;
};

void add_steps(const ReplayResult& r, Events& events) {
  for (size_t i = 0; i < r.steps.size(); ++i) {
    const StepRecord& step = r.steps[i];
    const double begin = step.begin_s * 1e6;
    JsonObject args;
    args.add("requests", step.batch).add("decodes", step.decodes);
    args.add("prefill_tokens", step.prefill_tokens).add("preempted", step.preempted);
    args.add("balance", step.balance);
    events.span(kEngine, 1, strf("step %zu", i + 1), begin, step.total_us(), args.str());
    // One after another inside the step; the layers' parts are drawn together.
    events.span(kEngine, 1, "plan", begin, step.times.plan_us);
    events.span(kEngine, 1, "append", begin + step.times.plan_us, step.times.append_us);
    events.span(kEngine, 1, "attention", begin + step.times.plan_us + step.times.append_us,
                step.times.attention_us);
    events.counter("running requests", begin, step.batch);
    events.counter("KV pages in use", begin, step.pages_used);
  }
}

void add_requests(const ReplayResult& r, Events& events) {
  for (size_t i = 0; i < r.requests.size(); ++i) {
    const RequestRecord& request = r.requests[i];
    if (request.finish_s < 0) continue;
    const int thread = static_cast<int>(i) + 1;
    const double arrival = request.arrival_s * 1e6, first = request.first_token_s * 1e6;
    JsonObject args;
    args.add("prompt_tokens", request.prompt_tokens);
    args.add("generated_tokens", request.generated_tokens);
    args.add("cached_tokens", request.cached_tokens).add("preemptions", request.preemptions);
    events.span(kRequests, thread, "to the first token", arrival, first - arrival, args.str());
    events.span(kRequests, thread, "generating", first, request.finish_s * 1e6 - first);
  }
}

void add_plan(const ReplayResult& r, Events& events) {
  const double begin = r.steps.empty() ? 0 : r.steps[r.busiest_step].begin_s * 1e6;
  int group = 0;
  for (const PlanGroup& items : r.busiest_plan.groups()) {
    double at = begin;
    ++group;
    for (const PlanItem& item : items) {
      const double length = static_cast<double>(item.cost) / 1e3;
      JsonObject args;
      args.add("row_begin", item.row_begin).add("kv_begin", item.kv_begin);
      args.add("kv_end", item.kv_end).add("merge", item.merge);
      events.span(kPlan, group, strf("request %d", item.request), at, length, args.str());
      at += length;
    }
  }
}

}  // namespace

std::string replay_trace_events(const ReplayContext&, const ReplayResult& r) {
  Events events;
  events.name_process(kEngine, "engine");
  events.name_process(kRequests, "requests");
  events.name_process(kPlan, strf("plan of step %zu, as estimated", r.busiest_step + 1));
  add_steps(r, events);
  add_requests(r, events);
  add_plan(r, events);
  return events.str();
}

}  // namespace weft::cli
