// SPDX-License-Identifier: Apache-2.0
// What the rooms of topk (check, select, run, cpu, cuda) offer each other.
#pragma once

#include <memory>
#include <string>

#include "kernels/topk/params.h"
#include "kernels/topk/spec.h"
#include "weft/cuda.h"
#include "weft/topk.h"

namespace weft {
namespace detail {

struct TopkCuda;  // what is prepared on a GPU

struct TopkImpl {
  TopkConfig config;
  Target target;
  TopkSpec spec;                         // of the CPU
  std::shared_ptr<const TopkCuda> cuda;  // null on the CPU
};

}  // namespace detail

/// Throws Error(invalid_argument) naming the wrong field.
void check_config(const TopkConfig& config);

/// The spec that runs `config` (already checked) on `target`; Error(unsupported) when none does.
TopkSpec select_topk(const TopkConfig& config, const Target& target);

/// Throws Error(invalid_argument) naming the wrong argument. Tensors only; allocates nothing unless
/// it throws.
void check_topk_args(const TopkConfig& config, Device device, const TopkArgs& args);

/// What kernels receive; all but the fault.
TopkParams bind_topk(const TopkConfig& config, const TopkArgs& args);

/// Throws Error(invalid_argument) naming the first element that is wrong. On the CPU.
void check_contents(const TopkParams& params);

void run_topk_cpu(const TopkSpec& spec, const TopkParams& params, const Executor& executor);

/// The kernels of `config` (already checked) on a GPU.
std::shared_ptr<const detail::TopkCuda> prepare_topk_cuda(const TopkConfig& config,
                                                          const CudaBackend& backend);
void run_topk_cuda(const detail::TopkCuda& cuda, const TopkConfig& config, TopkParams params,
                   bool wide, const Executor& executor);
int topk_vec(const detail::TopkCuda& cuda);
void check_topk_cuda(const detail::TopkCuda& cuda, const Executor& executor);
std::string explain_topk_cuda(const detail::TopkCuda& cuda);

}  // namespace weft
