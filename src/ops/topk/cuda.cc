// SPDX-License-Identifier: Apache-2.0
// topk on a GPU: which kernels, and one launch of a cluster a row.
#include "src/base/check.h"
#include "src/cuda/row_slices.h"
#include "src/ops/topk/kernel.h"
#include "src/ops/topk/rooms.h"

namespace weft {
namespace detail {

struct TopkCuda {
  TopkCuda(const TopkConfig& config, const CudaBackend& cuda)
      : kernels(cuda, select_topk_row(config, cuda.target()), config.max_len, passes(config)),
        state(cuda.state().device, {}) {}

  // Where few of a row are wanted it need not be kept.
  static bool passes(const TopkConfig& config) { return config.k <= kMostFloorTokens; }

  LongRowOperator<TopkRowSpec> kernels;  // first: it holds the backend
  RowState state;
};

}  // namespace detail

TopkRowSpec select_topk_row(const TopkConfig& c, const Target& target) {
  TopkRowSpec spec;
  spec.dtype = c.dtype;
  spec.sorted = c.sorted;
  spec.vec = 4;
  spec.slices = select_slices("max_len", c.max_len, target);
  return spec;
}

std::shared_ptr<const detail::TopkCuda> prepare_topk_cuda(const TopkConfig& config,
                                                          const CudaBackend& backend) {
  return std::make_shared<const detail::TopkCuda>(config, backend);
}

void run_topk_cuda(const detail::TopkCuda& cuda, const TopkConfig& config, TopkParams p, bool wide,
                   const Executor& executor) {
  p.fault = config.checked ? cuda.state.fault() : nullptr;
  cuda.kernels.run(p.n, wide, true, executor, p);
}

int topk_vec(const detail::TopkCuda& cuda) { return cuda.kernels.wide_spec.vec; }

void check_topk_cuda(const detail::TopkCuda& cuda, const Executor& executor) {
  cuda.state.throw_fault(executor.stream);
}

std::string explain_topk_cuda(const detail::TopkCuda& cuda) {
  const bool streams = cuda.kernels.streams[0] != nullptr;
  return cuda.kernels.explain(describe(cuda.kernels.wide_spec.slices).c_str()) +
         (streams ? describe_streams("rows of whole accesses", cuda.kernels.device().target())
                  : "");
}

}  // namespace weft
