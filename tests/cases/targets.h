// SPDX-License-Identifier: Apache-2.0
// Every CPU target that this machine can stand in for: its own and each slower instruction set.
#pragma once

#include <vector>

#include "weft/target.h"

namespace weft::cases {

/// From the slowest to this host's own; where bf16 dot products exist, with and without preferring
/// them. Seven threads, more than a small machine has, so that every pool gets all it offers.
std::vector<Target> host_targets();

}  // namespace weft::cases
