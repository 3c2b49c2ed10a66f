// SPDX-License-Identifier: Apache-2.0
// What the rooms of activation (check, select, run, cpu, cuda) offer each other.
#pragma once

#include <memory>
#include <string>

#include "kernels/activation/params.h"
#include "kernels/activation/spec.h"
#include "weft/activation.h"
#include "weft/cuda.h"

namespace weft {
namespace detail {

struct ActivationCuda;  // what is prepared on a GPU

struct ActivationImpl {
  ActivationConfig config;
  Target target;
  ActivationSpec spec;                         // of the CPU
  std::shared_ptr<const ActivationCuda> cuda;  // null on the CPU
};

}  // namespace detail

/// Config with its defaults filled in. Throws Error(invalid_argument) naming the wrong field.
ActivationConfig checked_config(ActivationConfig config);

/// The spec that runs `config` (already checked) on `target`; Error(unsupported) when none does.
ActivationSpec select_activation(const ActivationConfig& config, const Target& target);

/// Throws Error(invalid_argument) naming the wrong argument. Allocates nothing unless it throws.
void check_activation_args(const ActivationConfig& config, Device device,
                           const ActivationArgs& args);

/// The left and the right half of x (already checked).
TensorView gate_of(const ActivationConfig& config, const ActivationArgs& args);
TensorView up_of(const ActivationConfig& config, const ActivationArgs& args);

/// What kernels receive for `args` (already checked).
ActivationParams bind_activation(const ActivationConfig& config, const ActivationArgs& args);

/// Computes rows [0, params.n).
void run_activation_cpu(const ActivationSpec& spec, const ActivationParams& params,
                        const Executor& executor);

/// The kernels of `config` (already checked) on a GPU.
std::shared_ptr<const detail::ActivationCuda> prepare_activation_cuda(
    const ActivationConfig& config, const CudaBackend& backend);
/// Enqueues one launch.
void run_activation_cuda(const detail::ActivationCuda& cuda, const ActivationConfig& config,
                         const ActivationArgs& args, ActivationParams params,
                         const Executor& executor);
std::string explain_activation_cuda(const detail::ActivationCuda& cuda);

}  // namespace weft
