// SPDX-License-Identifier: Apache-2.0
// Verify on a GPU: which kernels, and one launch of a cluster a request.
#include "src/ops/verify/kernel.h"
#include "src/ops/verify/rooms.h"

namespace weft {
namespace detail {

struct VerifyCuda : RowOperator<VerifyRowSpec> {
  using RowOperator::RowOperator;
};

}  // namespace detail

VerifyRowSpec select_verify_row(const VerifyConfig& c, const Target& target) {
  VerifyRowSpec spec;
  spec.dtype = c.dtype;
  spec.tree = c.tree;
  spec.vec = c.tree ? 4 : 2;  // of one row or two: 64 registers hold what is under way
  spec.slices = spread_slices(c.vocab_size, target);
  return spec;
}

std::shared_ptr<const detail::VerifyCuda> prepare_verify_cuda(const VerifyConfig& config,
                                                              const CudaBackend& backend) {
  return std::make_shared<const detail::VerifyCuda>(backend,
                                                    select_verify_row(config, backend.target()));
}

void run_verify_cuda(const detail::VerifyCuda& cuda, const VerifyParams& params, bool wide,
                     const Executor& executor) {
  launch_clusters(cuda, params.n, wide, executor, params);
}

int verify_vec(const detail::VerifyCuda& cuda) { return cuda.wide_spec.vec; }

std::string explain_verify_cuda(const detail::VerifyCuda& cuda) {
  return cuda.explain(describe(cuda.wide_spec.slices).c_str());
}

}  // namespace weft
