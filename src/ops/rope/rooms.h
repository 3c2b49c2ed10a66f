// SPDX-License-Identifier: Apache-2.0
// What the rooms of rope (check, select, run, cpu) offer each other.
#pragma once

#include <string>

#include "kernels/rope/params.h"
#include "kernels/rope/spec.h"
#include "src/cpu/rotation.h"
#include "weft/rope.h"

namespace weft {
namespace detail {

struct RopeImpl {
  RopeConfig config;
  Target target;
  RopeSpec spec;
  RopeTurns turns;
};

}  // namespace detail

/// Config with its defaults filled in. Throws Error(invalid_argument) naming the wrong field.
RopeConfig checked_config(RopeConfig config);

/// The spec that runs `config` (already checked) on `target`; Error(unsupported) when none does.
RopeSpec select_rope(const RopeConfig& config, const Target& target);

/// Throws Error(invalid_argument) naming the wrong argument. Reads positions only when the config
/// says so; indptr always. Allocates nothing unless it throws.
void check_rope_args(const RopeConfig& config, const RopeArgs& args);

/// Rotates tokens [0, params.nnz).
void run_rope_cpu(const RopeSpec& spec, const RopeParams& params, const Executor& executor);

}  // namespace weft
