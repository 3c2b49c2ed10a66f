// SPDX-License-Identifier: Apache-2.0
// The list of benchmark cases, and the verdict on a case whose time and work are known.
#include "tools/weft/bench.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <set>
#include <vector>

namespace weft::cli {
namespace {

TEST(BenchCases, HaveIdsAndParametersOfTheFormOfTheTargets) {
  std::set<std::string> ids, names;
  std::ifstream file(std::string(WEFT_SOURCE_DIR) + "/bench/targets.jsonl");
  for (std::string line; std::getline(file, line);) {
    const JsonValue value = parse_json(line);
    EXPECT_TRUE(ids.insert(value.at("id").string).second) << value.at("id").string;
    for (const auto& member : value.object) names.insert(member.name);
  }
  ASSERT_GT(ids.size(), 100u);
  for (const BenchCase& c : bench_cases(Target::host())) {
    EXPECT_TRUE(ids.insert(c.id).second) << c.id << " stands there twice";
    EXPECT_EQ(c.id.rfind("cpu/", 0), 0u) << c.id;
    const JsonValue params = parse_json(c.params.str());
    std::vector<const char*> needed{"op", "dtype"};
    if (params.find("hidden") != nullptr) {  // norm and activation
      needed.push_back("tokens");
    } else if (params.find("vocab") != nullptr) {  // sampling and its like
      needed.push_back("batch");
    } else if (params.find("nnz") == nullptr) {  // and not packbits: it has heads
      needed.insert(needed.end(), {"num_qo_heads", "num_kv_heads", "head_dim"});
    }
    for (const char* name : needed) {
      EXPECT_NE(params.find(name), nullptr) << c.id << " has no " << name;
      EXPECT_TRUE(names.count(name)) << name << " is no parameter of the targets";
    }
  }
}

TEST(BenchCases, AskTheRateOfTilesOnlyWhereThereAreTiles) {
  Target amx = Target::host(), zen = Target::host();
  amx.isa = Isa::amx_bf16;
  amx.num_threads = 2;
  zen.isa = Isa::avx512_bf16;
  for (const auto& [target, tflops] : {std::pair{amx, 1.5}, {zen, 0.0}}) {
    for (const BenchCase& c : bench_cases(target)) {
      if (c.id == "cpu/prefill/causal_4k") {
        EXPECT_EQ(c.target.tflops, tflops);
      }
      if (c.id == "cpu/prefill/f32_causal_4k") {
        EXPECT_EQ(c.target.share_of_roof, 0.75);
      }
    }
  }
}

// Busy for a known time, and says that it did a known work.
class KnownRun final : public BenchRun {
 public:
  explicit KnownRun(double us) : us_(us) {}
  void call(int) override {
    const auto end =
        std::chrono::steady_clock::now() + std::chrono::duration<double, std::micro>(us_);
    while (std::chrono::steady_clock::now() < end) {
    }
  }

 private:
  double us_;
};

class Measure : public testing::Test {
 protected:
  static BenchResult run(const BenchTarget& target, double us, double flops, double balance) {
    static Threads threads(1);
    static Roofs roofs(threads, Target::host());
    BenchEnv env{Target::host(), threads};
    BenchCase c;
    c.target = target;
    c.make = [=](BenchEnv&) {
      auto run = std::make_unique<KnownRun>(us);
      run->flops = flops;
      run->unit = "cpu_scalar";
      run->balance = balance;
      return run;
    };
    return measure(c, env, roofs);
  }
};

TEST_F(Measure, TakesTheTime) {
  const BenchResult r = run({}, 500, 0, 0);
  EXPECT_GE(r.us, 499);
  EXPECT_GE(r.us_p90, r.us);
  EXPECT_LE(r.us_p10, r.us);
  EXPECT_EQ(r.roof_us, 0);
  EXPECT_TRUE(r.pass);
}

TEST_F(Measure, JudgesByEachKindOfTarget) {
  EXPECT_TRUE(run({.us = 1e6}, 500, 0, 0).pass);
  EXPECT_FALSE(run({.us = 400}, 500, 0, 0).pass);
  // 1 FLOP in 500 us is no part of any roof; 1e12 in 500 us is above it.
  EXPECT_FALSE(run({.share_of_roof = 0.5}, 500, 1, 0).pass);
  EXPECT_TRUE(run({.share_of_roof = 0.5}, 500, 1e12, 0).pass);
  EXPECT_FALSE(run({.tflops = 1}, 500, 1e6, 0).pass);
  EXPECT_TRUE(run({.tflops = 1e-9}, 500, 1e6, 0).pass);
  EXPECT_FALSE(run({.balance = 1.1}, 500, 0, 1.2).pass);
  EXPECT_TRUE(run({.balance = 1.1}, 500, 0, 1.05).pass);
}

}  // namespace
}  // namespace weft::cli
