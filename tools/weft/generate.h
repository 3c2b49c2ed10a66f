// SPDX-License-Identifier: Apache-2.0
// Generation of text by the induction model on the engine: prompts in, texts and counts out. Used
// by `weft generate` and its tests.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "examples/engine/engine.h"
#include "tools/weft/sampler.h"

namespace weft::cli {

struct GenerateOptions {
  DType dtype = DType::bf16;
  DType dtype_kv = DType::bf16;
  KvLayout kv_layout = KvLayout::nhd;
  int page_size = 16;
  int num_pages = 256;
  engine::SchedulerLimits limits{16, 96};
  int max_new = 120;
  char stop = '.';
  std::optional<SampleOptions> sampling;  // absent: the likeliest symbol, and a known text
};

struct Generation {
  std::string prompt, expected, got;
  int cached_tokens = 0, preemptions = 0;
  bool ok() const { return expected == got; }
};

struct GenerateResult {
  std::vector<Generation> generations;  // in the order of the prompts
  int64_t steps = 0, mixed_steps = 0, prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
  int64_t preemptions = 0;
  double seconds = 0;
  bool ok() const;
};

/// Called with the engine before each step: tests break things here.
using BeforeStep = std::function<void(engine::Engine&)>;

GenerateResult generate(const std::vector<std::string>& prompts, const GenerateOptions& options,
                        const Target& target, const Executor& executor,
                        const BeforeStep& before_step = nullptr);
/// The same with cache, attention and sampling on a GPU, whose memory and stream are given; the
/// model's own arithmetic stays on the host.
GenerateResult generate(const std::vector<std::string>& prompts, const GenerateOptions& options,
                        const CudaBackend& backend, engine::Memory& memory,
                        const Executor& executor);

/// Prompts that share a long beginning and differ at the end, and some on their own.
std::vector<std::string> demo_prompts();

}  // namespace weft::cli
