// SPDX-License-Identifier: Apache-2.0
// The algebra of states, and how the two forms of the operator name their states.
#include "tests/oracle/merge.h"

#include <cmath>
#include <limits>

#include "tests/oracle/numbers.h"

namespace weft::oracle {

State merge(const std::vector<State>& states, bool base2) {
  const double base = base2 ? 2.0 : std::exp(1.0);
  State out;
  out.lse = -std::numeric_limits<double>::infinity();
  double top = out.lse;
  for (const State& s : states) {
    out.o.resize(s.o.size(), 0.0);
    top = std::fmax(top, s.lse);
  }
  if (std::isinf(top) && top < 0) return out;  // every state is the identity
  double sum = 0;
  for (const State& s : states) sum += std::pow(base, s.lse - top);
  for (const State& s : states) {
    const double w = std::pow(base, s.lse - top) / sum;
    for (size_t d = 0; d < s.o.size() && w > 0; ++d) out.o[d] += w * s.o[d];
  }
  out.lse = top + std::log(sum) / std::log(base);
  return out;
}

State merge_row(const MergeConfig& config, const MergeArgs& args, int64_t n, int head) {
  std::vector<State> states;
  for (int64_t s = 0; s < args.o_in.shape[1]; ++s) {
    State state;
    for (int d = 0; d < config.head_dim; ++d) state.o.push_back(at(args.o_in, {n, s, head, d}));
    state.lse = at(args.lse_in, {n, s, head});
    states.push_back(std::move(state));
  }
  State out = merge(states, config.lse_base2);
  out.o.resize(static_cast<size_t>(config.head_dim), 0.0);
  return out;
}

State merge_row(const MergeConfig& config, const MergePairArgs& args, int64_t n, int head) {
  State a;
  State b;
  for (int d = 0; d < config.head_dim; ++d) {
    a.o.push_back(at(args.o_a, {n, head, d}));
    b.o.push_back(at(args.o_b, {n, head, d}));
  }
  a.lse = at(args.lse_a, {n, head});
  b.lse = at(args.lse_b, {n, head});
  if (args.mask.given() && *reinterpret_cast<const uint8_t*>(address(args.mask, {n})) == 0) {
    return merge({a}, config.lse_base2);
  }
  return merge({a, b}, config.lse_base2);
}

}  // namespace weft::oracle
