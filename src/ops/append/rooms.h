// SPDX-License-Identifier: Apache-2.0
// What the rooms of append (check, select, run, cpu, cuda) offer each other.
#pragma once

#include <memory>
#include <string>

#include "kernels/append/params.h"
#include "kernels/append/spec.h"
#include "src/cpu/rotation.h"
#include "weft/append.h"
#include "weft/cuda.h"

namespace weft {
namespace detail {

struct AppendCuda;  // what is prepared on a GPU

struct AppendImpl {
  AppendConfig config;
  Target target;
  AppendSpec spec;  // of the CPU
  RopeTurns turns;
  std::shared_ptr<const AppendCuda> cuda;  // null on the CPU
};

}  // namespace detail

/// Config with its defaults filled in. Throws Error(invalid_argument) naming the wrong field.
AppendConfig checked_config(AppendConfig config);

/// The spec that runs `config` (already checked) on `target`; Error(unsupported) when none does.
AppendSpec select_append(const AppendConfig& config, const Target& target);

/// Throws Error(invalid_argument) naming the wrong argument. On the CPU reads indices and per-head
/// scales when the config says so; on a GPU never. Allocates nothing unless it throws.
void check_append_args(const AppendConfig& config, Device device, const AppendArgs& args);

/// What kernels receive for `args` (already checked).
AppendParams bind_append(const AppendConfig& config, const RopeTurns& turns,
                         const AppendArgs& args);

/// What a kernel on a GPU takes besides, but for share_shift, turns and fault.
void complete_append(const AppendConfig& config, const AppendArgs& args, AppendParams& params);

/// Writes tokens [0, params.nnz).
void run_append_cpu(const AppendSpec& spec, const AppendParams& params, const Executor& executor);

/// The kernels and tables of `config` (already checked) on a GPU.
std::shared_ptr<const detail::AppendCuda> prepare_append_cuda(const AppendConfig& config,
                                                              const CudaBackend& backend,
                                                              const RopeTurns& turns);
/// Enqueues one launch; `params` as bound for the CPU.
void run_append_cuda(const detail::AppendCuda& cuda, const AppendConfig& config,
                     const AppendArgs& args, AppendParams params, const Executor& executor);
void check_append_cuda(const detail::AppendCuda& cuda, const Executor& executor);
std::string explain_append_cuda(const detail::AppendCuda& cuda);

}  // namespace weft
