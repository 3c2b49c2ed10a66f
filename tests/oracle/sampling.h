// SPDX-License-Identifier: Apache-2.0
// Sampling in float64: what is kept of a row, with which probability each token is drawn, and which
// token belongs to a random number. Written from docs/semantics.md; shares no code with the
// library.
#pragma once

#include <string>
#include <vector>

#include "weft/sampling.h"

namespace weft::oracle {

struct SampleRow {
  int status = 0;             // TokenStatus
  std::vector<double> value;  // adjusted, before temperature
  std::vector<double> share;  // of what is kept; 0 for what is left out
  std::vector<char> kept;
  std::vector<char> at_cut;  // has the smallest value that top-k or top-p keeps
};

/// Thresholds (top-p, min-p) are moved by `nudge`, relative: an answer is right when it is for some
/// nudge within the rounding of f32.
SampleRow sample_row(const SamplingConfig& config, const SamplingArgs& args, int64_t i,
                     double nudge = 0);
/// The row of a filter.
SampleRow sample_row(const SamplingConfig& config, const FilterArgs& args, int64_t i,
                     double nudge = 0);

/// The 64 random bits of (seed, offset), as a fraction.
double uniform(uint64_t seed, uint64_t offset);

/// Empty when `token` is where the running sum of shares passes `u`: tokens above the cut in the
/// order of their ids, then those at it.
std::string check_draw(const SampleRow& row, double u, int token);

}  // namespace weft::oracle
