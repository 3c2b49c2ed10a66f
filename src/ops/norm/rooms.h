// SPDX-License-Identifier: Apache-2.0
// What the rooms of norm (check, select, run, cpu, cuda) offer each other.
#pragma once

#include <memory>
#include <string>

#include "kernels/norm/params.h"
#include "kernels/norm/spec.h"
#include "weft/cuda.h"
#include "weft/norm.h"

namespace weft {
namespace detail {

struct NormCuda;  // what is prepared on a GPU

struct NormImpl {
  NormConfig config;
  Target target;
  NormSpec spec;                         // of the CPU
  std::shared_ptr<const NormCuda> cuda;  // null on the CPU
};

}  // namespace detail

/// Config with its defaults filled in. Throws Error(invalid_argument) naming the wrong field.
NormConfig checked_config(NormConfig config);

/// The spec that runs `config` (already checked) on `target`; Error(unsupported) when none does.
NormSpec select_norm(const NormConfig& config, const Target& target);

/// Throws Error(invalid_argument) naming the wrong argument. Allocates nothing unless it throws.
void check_norm_args(const NormConfig& config, Device device, const NormArgs& args);

/// What kernels receive for `args` (already checked).
NormParams bind_norm(const NormConfig& config, const NormArgs& args);

/// Normalises the rows of tokens [0, params.n).
void run_norm_cpu(const NormSpec& spec, const NormParams& params, const Executor& executor);

/// The kernels of `config` (already checked) on a GPU.
std::shared_ptr<const detail::NormCuda> prepare_norm_cuda(const NormConfig& config,
                                                          const CudaBackend& backend);
/// Enqueues one launch.
void run_norm_cuda(const detail::NormCuda& cuda, const NormArgs& args, NormParams params,
                   const Executor& executor);
std::string explain_norm_cuda(const detail::NormCuda& cuda);

}  // namespace weft
