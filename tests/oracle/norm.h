// SPDX-License-Identifier: Apache-2.0
// RMS and layer normalisation in float64, from their definitions.
#pragma once

#include <cstdint>
#include <vector>

#include "weft/norm.h"

namespace weft::oracle {

struct NormalisedRow {
  std::vector<double> residual;  // as stored; empty without one
  std::vector<double> y;         // before the last rounding
  std::vector<double> error;     // how far f32 arithmetic may leave each y
};

/// Head `head` (0 without heads) of token `token`, from x and the residual as given.
NormalisedRow norm_row(const NormConfig& config, const NormArgs& args, int64_t token, int head);

}  // namespace weft::oracle
