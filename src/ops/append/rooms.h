// SPDX-License-Identifier: Apache-2.0
// What the rooms of append (check, select, run, cpu) offer each other.
#pragma once

#include "kernels/append/params.h"
#include "kernels/append/spec.h"
#include "src/cpu/rotation.h"
#include "weft/append.h"

namespace weft {
namespace detail {

struct AppendImpl {
  AppendConfig config;
  Target target;
  AppendSpec spec;
  RopeTurns turns;
};

}  // namespace detail

/// Config with its defaults filled in. Throws Error(invalid_argument) naming the wrong field.
AppendConfig checked_config(AppendConfig config);

/// The spec that runs `config` (already checked) on `target`; Error(unsupported) when none does.
AppendSpec select_append(const AppendConfig& config, const Target& target);

/// Throws Error(invalid_argument) naming the wrong argument. Reads indices and per-head scales only
/// when the config says so. Allocates nothing unless it throws.
void check_append_args(const AppendConfig& config, const AppendArgs& args);

/// Writes tokens [0, params.nnz).
void run_append_cpu(const AppendSpec& spec, const AppendParams& params, const Executor& executor);

}  // namespace weft
