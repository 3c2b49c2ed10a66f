// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding in float64, from its definition: pair i of a head turns by
// position * frequency(i). Used by the attention, append and rope oracles.
#pragma once

#include <cstdint>
#include <vector>

#include "weft/rope.h"

namespace weft::oracle {

/// Angle per position of pair `i`, in radians.
double rope_frequency(const Rope& rope, int head_dim, int i);

/// Turns the rotated part of one head vector in place. Does nothing for RopeMode::none.
void rotate(const Rope& rope, int64_t position, std::vector<double>& x);

/// The same with given cosines and sines, one of each a pair.
void rotate(const Rope& rope, const std::vector<double>& cosines, const std::vector<double>& sines,
            std::vector<double>& x);

/// Position of query token `token` of a RopeArgs.
int64_t rope_position(const RopeArgs& args, int64_t token);

/// What the operator must write for one head of one token of `x` (args.q or args.k).
std::vector<double> rope_row(const RopeConfig& config, const RopeArgs& args, const TensorView& x,
                             int64_t token, int head);

}  // namespace weft::oracle
