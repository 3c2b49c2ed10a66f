// SPDX-License-Identifier: Apache-2.0
// sampling, topk, logprobs, verify and packbits as benchmarks, over a vocabulary of 128256.
#pragma once

#include <memory>

#include "tools/weft/bench.h"

namespace weft::cli {

inline constexpr int kBenchVocab = 128256;

/// What is drawn with, or written.
enum class SamplingBench {
  topk50_topp09,
  topk50_topp09_joint,
  topp09,
  categorical,
  topp_renorm,
  topk_mask
};

std::unique_ptr<BenchRun> make_sampling(SamplingBench what, int batch, BenchEnv& env);
std::unique_ptr<BenchRun> make_topk(int k, int batch, BenchEnv& env);
std::unique_ptr<BenchRun> make_logprobs(int num, int batch, BenchEnv& env);
std::unique_ptr<BenchRun> make_verify(int drafts, int batch, BenchEnv& env);
std::unique_ptr<BenchRun> make_packbits(int nnz, BenchEnv& env);

}  // namespace weft::cli
