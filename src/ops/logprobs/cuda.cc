// SPDX-License-Identifier: Apache-2.0
// Logprobs on a GPU: which kernels, and one launch of a cluster a row.
#include "src/ops/logprobs/kernel.h"
#include "src/ops/logprobs/rooms.h"

namespace weft {
namespace detail {

struct LogprobsCuda : CheckedOperator<LogprobsRowSpec> {
  using CheckedOperator::CheckedOperator;
};

}  // namespace detail

LogprobsRowSpec select_logprobs_row(const LogprobsConfig& c, const Target& target) {
  LogprobsRowSpec spec;
  spec.dtype = c.dtype;
  spec.vec = 4;
  spec.slices = spread_slices(c.vocab_size, target);
  return spec;
}

std::shared_ptr<const detail::LogprobsCuda> prepare_logprobs_cuda(const LogprobsConfig& config,
                                                                  const CudaBackend& backend) {
  return std::make_shared<const detail::LogprobsCuda>(
      backend, select_logprobs_row(config, backend.target()));
}

void run_logprobs_cuda(const detail::LogprobsCuda& cuda, const LogprobsConfig& config,
                       LogprobsParams p, bool wide, const Executor& executor) {
  p.row.fault = config.checked ? cuda.state.fault() : nullptr;
  launch_clusters(cuda, p.row.n, wide, executor, p);
}

int logprobs_vec(const detail::LogprobsCuda& cuda) { return cuda.wide_spec.vec; }

void check_logprobs_cuda(const detail::LogprobsCuda& cuda, const Executor& executor) {
  cuda.state.throw_fault(executor.stream);
}

std::string explain_logprobs_cuda(const detail::LogprobsCuda& cuda) {
  return cuda.explain(describe(cuda.wide_spec.slices).c_str());
}

}  // namespace weft
