// SPDX-License-Identifier: Apache-2.0
// What the rooms of verify (check, select, run, cpu) offer each other.
#pragma once

#include "kernels/verify/params.h"
#include "kernels/verify/spec.h"
#include "weft/verify.h"

namespace weft {
namespace detail {

struct VerifyImpl {
  VerifyConfig config;
  Target target;
  VerifySpec spec;
};

}  // namespace detail

/// Throws Error(invalid_argument) naming the wrong field.
void check_config(const VerifyConfig& config);

/// The spec that runs `config` (already checked) on `target`; Error(unsupported) when none does.
VerifySpec select_verify(const VerifyConfig& config, const Target& target);

/// Throws Error(invalid_argument) naming the wrong argument. Allocates nothing unless it throws.
void check_verify_args(const VerifyConfig& config, Device device, const VerifyArgs& args);

void run_verify_cpu(const VerifySpec& spec, const VerifyParams& params, const Executor& executor);

}  // namespace weft
