// SPDX-License-Identifier: Apache-2.0
// append, merge, rope, norm and activation as benchmarks.
#pragma once

#include <memory>

#include "tools/weft/bench.h"

namespace weft::cli {

std::unique_ptr<BenchRun> make_append(int tokens, bool fused_rope, BenchEnv& env);
std::unique_ptr<BenchRun> make_rope(int tokens, BenchEnv& env);
std::unique_ptr<BenchRun> make_merge(int rows, int states, BenchEnv& env);
std::unique_ptr<BenchRun> make_norm(int rows, int hidden, bool residual, BenchEnv& env);
std::unique_ptr<BenchRun> make_activation(int rows, int hidden, BenchEnv& env);

}  // namespace weft::cli
