// SPDX-License-Identifier: Apache-2.0
// What the rooms of packbits (check, select, run, cpu, cuda) offer each other.
#pragma once

#include <memory>
#include <string>

#include "kernels/packbits/params.h"
#include "weft/packbits.h"

namespace weft {
namespace detail {

struct PackBitsCuda;  // what is prepared on a GPU

struct PackBitsImpl {
  PackBitsConfig config;
  Target target;
  std::shared_ptr<const PackBitsCuda> cuda;  // null on the CPU
};

}  // namespace detail

/// Throws Error(invalid_argument) naming the wrong field.
PackBitsConfig checked_config(const PackBitsConfig& config);

/// Throws Error(invalid_argument) naming the wrong argument. On the CPU reads segments; on a GPU
/// never. Allocates nothing unless it throws.
void check_packbits_args(Device device, const PackBitsArgs& args);

/// What kernels receive for `args` (already checked).
PackBitsParams bind_packbits(const PackBitsArgs& args);

void run_packbits_cpu(const PackBitsConfig& config, const PackBitsParams& params,
                      const Executor& executor);

std::shared_ptr<const detail::PackBitsCuda> prepare_packbits_cuda(const PackBitsConfig& config,
                                                                  const CudaBackend& backend);
/// Enqueues one launch.
void run_packbits_cuda(const detail::PackBitsCuda& cuda, const PackBitsParams& params,
                       const Executor& executor);
std::string explain_packbits_cuda(const detail::PackBitsCuda& cuda);

}  // namespace weft
