// SPDX-License-Identifier: Apache-2.0
// activation on a GPU: which kernels, and one launch.
#include "src/cuda/rows.h"
#include "src/ops/activation/kernel.h"
#include "src/ops/activation/rooms.h"

namespace weft {
namespace detail {

struct ActivationCuda : RowOperator<ActivationWarpSpec> {
  using RowOperator::RowOperator;
};

}  // namespace detail

ActivationWarpSpec select_activation_warp(const ActivationConfig& c) {
  ActivationWarpSpec spec;
  spec.dtype = c.dtype;
  spec.dtype_out = c.dtype_out;
  spec.kind = c.kind;
  spec.vec = widest_vector(c.dtype, {c.hidden});
  return spec;
}

std::shared_ptr<const detail::ActivationCuda> prepare_activation_cuda(
    const ActivationConfig& config, const CudaBackend& backend) {
  return std::make_shared<const detail::ActivationCuda>(backend, select_activation_warp(config));
}

void run_activation_cuda(const detail::ActivationCuda& cuda, const ActivationConfig& config,
                         const ActivationArgs& args, ActivationParams p, const Executor& executor) {
  const int vec = cuda.wide_spec.vec;
  const bool wide = fits_vectors(args.x, vec) && fits_vectors(args.out, vec);
  const ActivationWarpSpec& spec = cuda.spec(wide);
  p.vectors = FastDivisor::of(config.hidden / spec.vec);
  p.num_vectors = checked_grid("n", p.n * p.vectors.divisor);
  cuda.launch(wide, ceil_div(p.num_vectors, spec.num_threads), executor, p);
}

std::string explain_activation_cuda(const detail::ActivationCuda& cuda) {
  return cuda.explain("a thread a vector");
}

}  // namespace weft
