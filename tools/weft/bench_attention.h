// SPDX-License-Identifier: Apache-2.0
// Attention as a benchmark: lengths and a shape in, a BenchRun out. Keys lie on shuffled pages, and
// several caches take turns so that no call finds its keys in a processor cache.
#pragma once

#include <memory>
#include <vector>

#include "tools/weft/bench.h"

namespace weft::cli {

struct AttentionBench {
  std::vector<int> qo_lens, kv_lens;
  int num_qo_heads = 32, num_kv_heads = 8;
  int head_dim = 128, head_dim_vo = 0;  // 0 = head_dim
  int page_size = 16;                   // 0 = ragged
  DType dtype = DType::bf16, dtype_kv = DType::bf16;
  KvLayout kv_layout = KvLayout::nhd;
  bool causal = true;
  bool rotate = true;      // through more KV than any cache holds
  bool plan_only = false;  // time `plan`, not `run`
  bool overhead = false;   // the work is beside the point: no roof
};

std::unique_ptr<BenchRun> make_attention(const AttentionBench& bench, BenchEnv& env);
JsonObject params_of(const AttentionBench& bench);

}  // namespace weft::cli
