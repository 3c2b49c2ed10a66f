// SPDX-License-Identifier: Apache-2.0
// What the rooms of verify (check, select, run, cpu, cuda) offer each other.
#pragma once

#include <memory>
#include <string>

#include "kernels/verify/params.h"
#include "kernels/verify/spec.h"
#include "weft/cuda.h"
#include "weft/verify.h"

namespace weft {
namespace detail {

struct VerifyCuda;  // what is prepared on a GPU

struct VerifyImpl {
  VerifyConfig config;
  Target target;
  VerifySpec spec;                         // of the CPU
  std::shared_ptr<const VerifyCuda> cuda;  // null on the CPU
};

}  // namespace detail

/// Throws Error(invalid_argument) naming the wrong field.
void check_config(const VerifyConfig& config);

/// The spec that runs `config` (already checked) on `target`; Error(unsupported) when none does.
VerifySpec select_verify(const VerifyConfig& config, const Target& target);

/// Throws Error(invalid_argument) naming the wrong argument. Allocates nothing unless it throws.
void check_verify_args(const VerifyConfig& config, Device device, const VerifyArgs& args);

/// What kernels receive.
VerifyParams bind_verify(const VerifyConfig& config, const VerifyArgs& args);

void run_verify_cpu(const VerifySpec& spec, const VerifyParams& params, const Executor& executor);

/// The kernels of `config` (already checked) on a GPU.
std::shared_ptr<const detail::VerifyCuda> prepare_verify_cuda(const VerifyConfig& config,
                                                              const CudaBackend& backend);
/// `wide`: every row of probabilities takes accesses of verify_vec elements.
void run_verify_cuda(const detail::VerifyCuda& cuda, const VerifyParams& params, bool wide,
                     const Executor& executor);
int verify_vec(const detail::VerifyCuda& cuda);
std::string explain_verify_cuda(const detail::VerifyCuda& cuda);

}  // namespace weft
