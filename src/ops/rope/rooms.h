// SPDX-License-Identifier: Apache-2.0
// What the rooms of rope (check, select, run, cpu, cuda) offer each other.
#pragma once

#include <memory>
#include <string>

#include "kernels/rope/params.h"
#include "kernels/rope/spec.h"
#include "src/cpu/rotation.h"
#include "weft/cuda.h"
#include "weft/rope.h"

namespace weft {
namespace detail {

struct RopeCuda;  // what is prepared on a GPU

struct RopeImpl {
  RopeConfig config;
  Target target;
  RopeSpec spec;  // of the CPU
  RopeTurns turns;
  std::shared_ptr<const RopeCuda> cuda;  // null on the CPU
};

}  // namespace detail

/// Config with its defaults filled in. Throws Error(invalid_argument) naming the wrong field.
RopeConfig checked_config(RopeConfig config);

/// The spec that runs `config` (already checked) on `target`; Error(unsupported) when none does.
RopeSpec select_rope(const RopeConfig& config, const Target& target);

/// Throws Error(invalid_argument) naming the wrong argument. On the CPU reads positions when the
/// config says so, indptr always; on a GPU neither. Allocates nothing unless it throws.
void check_rope_args(const RopeConfig& config, Device device, const RopeArgs& args);

/// Rotates tokens [0, params.nnz).
void run_rope_cpu(const RopeSpec& spec, const RopeParams& params, const Executor& executor);

/// The kernels and tables of `config` (already checked) on a GPU.
std::shared_ptr<const detail::RopeCuda> prepare_rope_cuda(const RopeConfig& config,
                                                          const CudaBackend& backend,
                                                          const RopeTurns& turns);
/// Enqueues one launch; `params` as bound for the CPU.
void run_rope_cuda(const detail::RopeCuda& cuda, const RopeConfig& config, const RopeArgs& args,
                   RopeParams params, const Executor& executor);
void check_rope_cuda(const detail::RopeCuda& cuda, const Executor& executor);
std::string explain_rope_cuda(const detail::RopeCuda& cuda);

}  // namespace weft
