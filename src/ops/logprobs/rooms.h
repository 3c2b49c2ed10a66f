// SPDX-License-Identifier: Apache-2.0
// What the rooms of logprobs (check, select, run, cpu, cuda) offer each other.
#pragma once

#include <memory>
#include <string>

#include "kernels/logprobs/params.h"
#include "kernels/logprobs/spec.h"
#include "weft/cuda.h"
#include "weft/logprobs.h"
#include "weft/sampling.h"

namespace weft {
namespace detail {

struct LogprobsCuda;  // what is prepared on a GPU

struct LogprobsImpl {
  LogprobsConfig config;
  Target target;
  LogprobsSpec spec;                         // of the CPU
  std::shared_ptr<const LogprobsCuda> cuda;  // null on the CPU
};

}  // namespace detail

/// Throws Error(invalid_argument) naming the wrong field.
void check_config(const LogprobsConfig& config);

/// The spec that runs `config` (already checked) on `target`; Error(unsupported) when none does.
LogprobsSpec select_logprobs(const LogprobsConfig& config, const Target& target);

/// The processing of logits is sampling's, and so are its checks and its binding.
SamplingConfig processing_of(const LogprobsConfig& config);
SamplingArgs processing_of(const LogprobsArgs& args);

/// Throws Error(invalid_argument) naming the wrong argument. Tensors only; allocates nothing unless
/// it throws.
void check_logprobs_args(const LogprobsConfig& config, Device device, const LogprobsArgs& args);

/// What kernels receive; all but the fault.
LogprobsParams bind_logprobs(const LogprobsConfig& config, const LogprobsArgs& args);

/// Throws Error(invalid_argument) naming the first parameter or token that is wrong. On the CPU.
void check_contents(const LogprobsParams& params);

void run_logprobs_cpu(const LogprobsSpec& spec, const LogprobsParams& params,
                      const Executor& executor);

/// The kernels of `config` (already checked) on a GPU.
std::shared_ptr<const detail::LogprobsCuda> prepare_logprobs_cuda(const LogprobsConfig& config,
                                                                  const CudaBackend& backend);
/// `wide`: every row of logits takes accesses of logprobs_vec elements.
void run_logprobs_cuda(const detail::LogprobsCuda& cuda, const LogprobsConfig& config,
                       LogprobsParams params, bool wide, const Executor& executor);
int logprobs_vec(const detail::LogprobsCuda& cuda);
void check_logprobs_cuda(const detail::LogprobsCuda& cuda, const Executor& executor);
std::string explain_logprobs_cuda(const detail::LogprobsCuda& cuda);

}  // namespace weft
