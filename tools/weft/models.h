// SPDX-License-Identifier: Apache-2.0
// Attention shapes of published models, as their config files give them. Values only; used by
// replay and bench.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weft::cli {

struct ModelShape {
  const char* name;
  const char* source;  // the checkpoint whose config.json says so
  int num_layers;
  int num_qo_heads;
  int num_kv_heads;
  int head_dim;
  int window = 0;             // tokens a query sees, itself included; 0 = all
  int window_every = 1;       // layers i with i % window_every == 0 have the window
  float logits_soft_cap = 0;  // 0 = off
  bool sinks = false;
};

const std::vector<ModelShape>& model_shapes();

/// Throws UsageError naming the nearest.
const ModelShape& find_model(std::string_view name);

}  // namespace weft::cli
