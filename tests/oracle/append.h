// SPDX-License-Identifier: Apache-2.0
// What append must write, token by token, in float64 before the one rounding to the cache's dtype.
#pragma once

#include <cstdint>
#include <vector>

#include "weft/append.h"

namespace weft::oracle {

/// Where a token goes.
struct Slot {
  int64_t page = 0;
  int64_t row = 0;
};

Slot append_slot(const AppendConfig& config, const AppendArgs& args, int64_t token);

/// One head of one token: what the cache row of k (rotated, divided by k_scale), of v (divided by
/// v_scale), and q_out (rotated) hold before rounding.
std::vector<double> append_k(const AppendConfig& config, const AppendArgs& args, int64_t token,
                             int head);
std::vector<double> append_v(const AppendConfig& config, const AppendArgs& args, int64_t token,
                             int head);
std::vector<double> append_q(const AppendConfig& config, const AppendArgs& args, int64_t token,
                             int head);

/// Element of a cache in the config's layout.
char* cache_address(const AppendConfig& config, const TensorView& cache, Slot slot, int head,
                    int d);

}  // namespace weft::oracle
