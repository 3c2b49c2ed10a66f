// SPDX-License-Identifier: Apache-2.0
// Gated activations in float64, from their definitions.
#pragma once

#include "weft/activation.h"

namespace weft::oracle {

double activate(ActivationKind kind, double x);

/// Element (row, d) of the output before its last rounding.
double activated(const ActivationConfig& config, const ActivationArgs& args, int64_t row,
                 int64_t d);

}  // namespace weft::oracle
