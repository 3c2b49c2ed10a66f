// SPDX-License-Identifier: Apache-2.0
// The case runner: plan on a dirty workspace, run on poisoned outputs, compare.
#include "tests/cases/run_case.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <sstream>

#include "tests/cases/executors.h"
#include "tests/cases/random.h"
#include "tests/cases/targets.h"
#include "tests/oracle/numbers.h"
#include "tests/oracle/tolerance.h"

namespace weft::cases {
namespace {

bool close(double got, double exact, double tolerance, double& worst) {
  if (std::isinf(exact)) return got == exact;
  if (!std::isfinite(got)) return false;
  worst = std::max(worst, std::fabs(got - exact) / tolerance);
  return std::fabs(got - exact) <= tolerance;
}

std::string place_of(const Expected::Row& row) {
  return "request " + std::to_string(row.request) + " token " + std::to_string(row.token) +
         " head " + std::to_string(row.head);
}

/// What is wrong with one row, or nothing.
std::string compare_row(const AttentionData& data, const oracle::Precision& precision,
                        const Expected::Row& row, int64_t token, double& worst) {
  std::ostringstream out;
  out.precision(9);
  for (size_t d = 0; d < row.exact.o.size(); ++d) {
    const double got = oracle::at(data.args.o, {token, row.head, static_cast<int64_t>(d)});
    const double tolerance = oracle::o_tolerance(precision, row.exact, static_cast<int>(d));
    const bool empty = row.exact.visible == 0;  // exactly zero then
    if (close(got, row.exact.o[d], empty ? std::numeric_limits<double>::min() : tolerance, worst)) {
      continue;
    }
    out << "o[" << d << "]: expected " << row.exact.o[d] << " +- " << tolerance << ", got " << got
        << " (" << row.exact.visible << " keys visible)";
    return out.str();
  }
  if (!data.args.lse.given()) return "";
  const double got = oracle::at(data.args.lse, {token, row.head});
  const double tolerance = oracle::lse_tolerance(precision, row.exact);
  if (!close(got, row.exact.lse, tolerance, worst)) {
    out << "lse: expected " << row.exact.lse << " +- " << tolerance << ", got " << got << " ("
        << row.exact.visible << " keys visible)";
  }
  return out.str();
}

std::string describe(const Target& target) {
  return to_string(target) + (target.fast_bf16 ? ", fast bf16" : "");
}

}  // namespace

Expected expect_rows(const AttentionData& data, uint64_t seed, double budget) {
  oracle::Attention exact(data.config, data.batch, data.args);
  const int heads = data.config.num_qo_heads;
  const int group = heads / data.config.num_kv_heads;
  const double dims = data.config.head_dim_qk + data.args.o.shape[2];
  double work = 0;
  for (int r = 0; r < exact.batch_size(); ++r) {
    work +=
        static_cast<double>(exact.qo_len(r)) * static_cast<double>(exact.kv_len(r)) * dims * heads;
  }
  const double keep = std::min(1.0, budget / std::max(work, 1.0));
  Random random(seed);
  Expected expected;
  for (int r = 0; r < exact.batch_size(); ++r) {
    const int64_t n = exact.qo_len(r);
    const int always = static_cast<int>(random.integer(0, heads - 1));
    for (int kv_head = 0; kv_head < data.config.num_kv_heads; ++kv_head) {
      for (int64_t i = 0; i < n; ++i) {
        for (int h = kv_head * group; h < (kv_head + 1) * group; ++h) {
          const bool edge = (i == 0 || i == n - 1) && h == always;
          if (!edge && !random.chance(keep)) continue;
          expected.rows.push_back({r, i, h, exact.row(r, i, h)});
        }
      }
    }
  }
  return expected;
}

Comparison compare_rows(const AttentionData& data, const Expected& expected) {
  const oracle::Attention exact(data.config, data.batch, data.args);
  const oracle::Precision precision = oracle::precision_of(data.config, data.args);
  Comparison out;
  for (const Expected::Row& row : expected.rows) {
    const std::string wrong =
        compare_row(data, precision, row, exact.token(row.request, row.token), out.worst);
    out.rows += 1;
    if (!wrong.empty() && out.failure.empty()) out.failure = place_of(row) + ": " + wrong;
  }
  return out;
}

Runner::Runner(const AttentionConfig& config, const Target& target)
    : attention_(config, target), workspace_(attention_.workspace_bytes()) {
  plan_ = attention_.create_plan(
      TensorView(workspace_.data(), DType::u8, {static_cast<int64_t>(workspace_.size())}));
}

void Runner::plan(const AttentionBatch& batch, const Executor& executor) {
  attention_.plan(batch, plan_, executor);
}

void Runner::run(AttentionData& data, const Executor& executor) {
  data.poison_outputs();
  attention_.run(plan_, data.args, executor);
}

void Runner::spoil_workspace() { workspace_.fill(0xc3); }

std::string find_stray_writes(const AttentionData& data, const Runner& runner) {
  std::string at = find_stray_write(data.o, data.args.o, kPoisonByte);
  if (!at.empty()) return "o: " + at;
  if (data.args.lse.given()) {
    at = find_stray_write(data.lse, data.args.lse, kPoisonByte);
    if (!at.empty()) return "lse: " + at;
  }
  if (!runner.workspace().fences_intact()) return "workspace: written beyond workspace_bytes()";
  for (const Buffer& b : data.inputs) {
    if (!b.fences_intact()) return "an input's fence was written";
  }
  return "";
}

std::vector<char> output_bits(const AttentionData& data) {
  std::vector<char> bits(data.o.data(), data.o.data() + data.o.size());
  bits.insert(bits.end(), data.lse.data(), data.lse.data() + data.lse.size());
  return bits;
}

std::string check_case(const AttentionCase& c, const Target& target, AttentionData& data,
                       const Expected& expected, double* worst) {
  const AllPools pools;
  Runner runner(data.config, target);
  std::optional<std::vector<char>> first;
  for (const TestPool* pool : pools.list()) {
    runner.plan(data.batch, pool->executor());
    runner.run(data, pool->executor());
    const std::string where = describe(target) + ", " + pool->name() + ": ";
    const std::string stray = find_stray_writes(data, runner);
    if (!stray.empty()) return where + stray;
    if (first) {
      if (output_bits(data) != *first) return where + "other bits than on one thread";
      continue;
    }
    const Comparison result = compare_rows(data, expected);
    if (worst != nullptr) *worst = std::max(*worst, result.worst);
    if (!result.failure.empty()) return where + result.failure;
    first = output_bits(data);
  }
  return c.name.empty() ? "a case needs a name" : "";
}

std::string check_case(const AttentionCase& c, uint64_t seed, double* worst) {
  AttentionData data = make_attention_data(c, seed);
  const Expected expected = expect_rows(data, seed);
  const bool hashable = c.storage != Storage::huge_pages;
  const uint64_t before = hashable ? data.input_hash() : 0;
  for (Target target : host_targets()) {
    if (c.num_workers > 0) target.num_workers = c.num_workers;
    const std::string failure = check_case(c, target, data, expected, worst);
    if (!failure.empty()) return failure;
  }
  if (hashable && data.input_hash() != before) return "an input was written";
  return "";
}

}  // namespace weft::cases
