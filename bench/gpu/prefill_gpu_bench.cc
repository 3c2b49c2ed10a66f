// SPDX-License-Identifier: Apache-2.0
// Prefill, append and mixed batches on a GPU: one JSON line a case, with the ids of
// bench/targets.jsonl. Launches of a graph back to back; variants of a case take turns; medians.
// The first two rounds are left out, so figures are those of a warm chip.
// Run: prefill_gpu_bench TARGETS.jsonl [--filter TEXT] [--rounds N] [--try TUNING]...
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "bench/gpu/prefill.h"
#include "tools/weft/json.h"

namespace weft::bench {
namespace {

constexpr double kGraphFlop = 1.5e12;  // about 2.5 ms of launches in a graph
constexpr int kMostCalls = 12;

struct Options {
  std::string targets, filter;
  int rounds = 9;
  std::vector<std::string> tunings;
};

struct Variant {
  std::string tuning;
  std::unique_ptr<Prefill> prefill;
  std::unique_ptr<Graph> graph;
  std::vector<double> us;
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<long>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void print(const Case& c, const Variant& v) {
  const double us = median(v.us);
  const double tflops = c.flops() / us * 1e-6;
  cli::JsonObject line;
  line.add("id", c.id).add("us", us).add("us_least", *std::min_element(v.us.begin(), v.us.end()));
  line.add("tflops", tflops);
  if (c.target_tflops > 0) {
    line.add("target_tflops", c.target_tflops).add("met", tflops >= c.target_tflops);
  }
  if (c.target_us > 0) line.add("target_us", c.target_us).add("met", us <= c.target_us);
  if (c.floor_us > 0) line.add("floor_us", c.floor_us);
  if (c.peer_us > 0) line.add("peer_us", c.peer_us);
  if (c.peer_tflops > 0) line.add("peer_tflops", c.peer_tflops);
  if (!v.tuning.empty()) line.add("tuning", v.tuning);
  line.add("kernel", v.prefill->describe());
  std::printf("%s\n", line.str().c_str());
  std::fflush(stdout);
}

void run_case(const CudaBackend& backend, const Case& c, const Options& options) {
  const CudaDevice& device = backend.state().device;
  const PrefillTensors tensors(backend, c);
  const int calls = std::clamp(static_cast<int>(kGraphFlop / c.flops()), 1, kMostCalls);
  std::vector<Variant> variants;
  for (const std::string& tuning : options.tunings) {
    Variant v{tuning, std::make_unique<Prefill>(backend, c, tuning), nullptr, {}};
    const Graph plan(device, [&](void* stream) { v.prefill->plan(tensors, stream); });
    plan.time_us();
    v.graph = std::make_unique<Graph>(device, [&](void* stream) {
      for (int i = 0; i < calls; ++i) v.prefill->run(tensors, stream);
    });
    variants.push_back(std::move(v));
  }
  for (int i = 0; i < options.rounds + 2; ++i) {
    for (Variant& v : variants) {
      const double us = v.graph->time_us() / calls;
      if (i >= 2) v.us.push_back(us);
    }
  }
  for (const Variant& v : variants) print(c, v);
}

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto value = [&] { return i + 1 < argc ? std::string(argv[++i]) : std::string(); };
    if (word == "--filter") {
      o.filter = value();
    } else if (word == "--rounds") {
      o.rounds = std::max(1, std::stoi(value()));
    } else if (word == "--try") {
      o.tunings.push_back(value());
    } else {
      o.targets = word;
    }
  }
  if (o.tunings.empty()) o.tunings.push_back("");
  return o;
}

int run(const Options& options) {
  const CudaBackend backend;
  std::printf("{\"device\": \"%s\"}\n", backend.device_name().c_str());
  for (const Case& c : read_cases(options.targets, options.filter, CaseKind::prefill)) {
    try {
      run_case(backend, c, options);
    } catch (const Error& error) {
      std::printf("{\"id\": \"%s\", \"error\": %s}\n", c.id.c_str(),
                  cli::json_quote(error.what()).c_str());
    }
  }
  return 0;
}

}  // namespace
}  // namespace weft::bench

int main(int argc, char** argv) {
  try {
    return weft::bench::run(weft::bench::parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "prefill_gpu_bench: %s\n", error.what());
    return 1;
  }
}
