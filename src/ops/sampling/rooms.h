// SPDX-License-Identifier: Apache-2.0
// What the rooms of sampling (check, select, run, cpu, cuda) offer each other.
#pragma once

#include <memory>
#include <string>

#include "kernels/sampling/params.h"
#include "kernels/sampling/spec.h"
#include "weft/cuda.h"
#include "weft/sampling.h"

namespace weft {
namespace detail {

struct SamplingCuda;  // what is prepared on a GPU

struct SamplingImpl {
  SamplingConfig config;
  Target target;
  SamplingSpec spec;                         // of the CPU
  std::shared_ptr<const SamplingCuda> cuda;  // null on the CPU
};

}  // namespace detail

/// Throws Error(invalid_argument) naming the wrong field.
void check_config(const SamplingConfig& config);

/// The spec that runs `config` (already checked) on `target`; Error(unsupported) when none does.
SamplingSpec select_sampling(const SamplingConfig& config, const Target& target);

/// Throw Error(invalid_argument) naming the wrong argument. Tensors only; allocate nothing unless
/// they throw.
void check_sampling_args(const SamplingConfig& config, Device device, const SamplingArgs& args);
void check_filter_args(const SamplingConfig& config, Device device, const FilterArgs& args);

/// The part of the former that penalties, bias and masks of `n` samples are.
void check_adjustments(const SamplingConfig& config, Device device, const SamplingArgs& args,
                       int64_t n);

/// What kernels receive; all but the fault.
SamplingParams bind_sampling(const SamplingConfig& config, const SamplingArgs& args);
SamplingParams bind_filter(const SamplingConfig& config, const FilterArgs& args);

/// Throws Error(invalid_argument) naming what of sample `i` is wrong.
void check_request(const SampleRequest& request, int64_t i);

/// Throws Error(invalid_argument) naming the first parameter that is wrong. On the CPU.
void check_parameters(const SamplingParams& params);

void run_sampling_cpu(const SamplingSpec& spec, const SamplingParams& params,
                      const Executor& executor);
void run_filter_cpu(const SamplingSpec& spec, const SamplingParams& params, DType dtype_out,
                    const Executor& executor);

/// The kernels of `config` (already checked) on a GPU.
std::shared_ptr<const detail::SamplingCuda> prepare_sampling_cuda(const SamplingConfig& config,
                                                                  const CudaBackend& backend);
/// One launch each; `params` as bound for the CPU. `wide`: every row of the tensors that are as
/// wide as the vocabulary takes accesses of sampling_vec elements.
void run_sampling_cuda(const detail::SamplingCuda& cuda, const SamplingConfig& config,
                       SamplingParams params, bool wide, const Executor& executor);
void run_filter_cuda(const detail::SamplingCuda& cuda, const SamplingConfig& config,
                     SamplingParams params, DType dtype_out, bool wide, const Executor& executor);
int sampling_vec(const detail::SamplingCuda& cuda);
void check_sampling_cuda(const detail::SamplingCuda& cuda, const Executor& executor);
std::string explain_sampling_cuda(const detail::SamplingCuda& cuda);

}  // namespace weft
