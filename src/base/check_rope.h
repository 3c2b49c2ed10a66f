// SPDX-License-Identifier: Apache-2.0
// The check and the printed form of a Rope, shared by every config that has one.
#pragma once

#include <string>

#include "kernels/core/variant.h"

namespace weft {

/// `rope` with its dim filled in. Throws Error(invalid_argument) naming the wrong field, e.g.
/// "rope.dim: expected an even number, got 63". Fields are not read when the mode is none.
Rope checked_rope(Rope rope, int head_dim);

/// "rope neox dim 128 theta 500000", with llama31's numbers when set; "no rope" for mode none.
std::string describe(const Rope& rope);

}  // namespace weft
