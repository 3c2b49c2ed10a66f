// SPDX-License-Identifier: Apache-2.0
// See bench.h. Samples of a case and of its roofs alternate, so that a machine that slows down
// slows both; medians of each are compared.
#include <algorithm>
#include <chrono>

#include "tools/weft/bench.h"
#include "tools/weft/stats.h"

namespace weft::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSampleSeconds = 0.004;  // least length of a sample: timer and wake-up vanish
constexpr double kCaseSeconds = 1.0;      // for all samples of a case
constexpr int kLeastSamples = 5, kMostSamples = 41;

class Timer {
 public:
  explicit Timer(BenchRun& run) : run_(run) {}
  /// Seconds of one call, as the mean of `n`.
  double seconds(int n) {
    const auto begin = Clock::now();
    for (int k = 0; k < n; ++k) run_.call(next_++);
    return std::chrono::duration<double>(Clock::now() - begin).count() / n;
  }

 private:
  BenchRun& run_;
  int next_ = 0;
};

/// Of one thread; whole lines of the reader.
int64_t resident_bytes(const BenchRun& run, const BenchEnv& env) {
  const auto bytes = static_cast<int64_t>(run.resident / env.threads.count());
  return std::max<int64_t>(1 << 16, bytes / 4096 * 4096);
}

void sample_roofs(const BenchRun& run, const BenchEnv& env, Roofs& roofs) {
  if (run.flops > 0 && !run.unit.empty()) roofs.sample_unit(roof_unit(run.unit));
  if (run.bytes == 0) return;
  if (run.resident > 0) {
    roofs.sample_cache(resident_bytes(run, env));
  } else {
    roofs.sample_memory();
  }
}

double gbs_of(const BenchRun& run, const BenchEnv& env, const Roofs& roofs) {
  return run.resident > 0 ? roofs.cache_gbs(resident_bytes(run, env)) : roofs.memory_gbs();
}

}  // namespace

BenchResult measure(const BenchCase& bench_case, BenchEnv& env, Roofs& roofs) {
  const std::unique_ptr<BenchRun> run = bench_case.make(env);
  roofs.clear();
  Timer timer(*run);
  timer.seconds(1);
  const double one = std::max(1e-9, timer.seconds(1));
  const int calls = static_cast<int>(std::clamp(kSampleSeconds / one, 1.0, 1e6));
  const int samples = static_cast<int>(
      std::clamp(kCaseSeconds / (one * calls), double{kLeastSamples}, double{kMostSamples}));
  std::vector<double> us;
  for (int i = 0; i < samples; ++i) {
    sample_roofs(*run, env, roofs);
    us.push_back(timer.seconds(calls) * 1e6);
  }
  sample_roofs(*run, env, roofs);

  BenchResult r;
  r.samples = samples;
  r.us = median(us);
  r.us_p10 = percentile(us, 10);
  r.us_p90 = percentile(us, 90);
  r.flops = run->flops;
  r.bytes = run->bytes;
  r.balance = run->balance;
  const double compute_us = run->flops > 0 && !run->unit.empty()
                                ? run->flops / roofs.gflops(roof_unit(run->unit)) / 1e3
                                : 0;
  const double memory_us = run->bytes > 0 ? run->bytes / gbs_of(*run, env, roofs) / 1e3 : 0;
  r.roof_us = std::max(compute_us, memory_us);
  r.compute_bound = compute_us > memory_us;
  const BenchTarget& t = bench_case.target;
  if (t.us > 0) r.target_us = t.us;
  if (t.share_of_roof > 0) r.target_us = r.roof_us / t.share_of_roof;
  if (t.tflops > 0) r.target_us = r.flops / t.tflops / 1e6;
  if (r.target_us > 0 && r.us > r.target_us) r.pass = false;
  if (t.balance > 0 && r.balance > t.balance) r.pass = false;
  return r;
}

}  // namespace weft::cli
