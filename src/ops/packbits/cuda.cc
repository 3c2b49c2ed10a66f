// SPDX-License-Identifier: Apache-2.0
// packbits on a GPU: which kernels, and one launch.
#include "src/cuda/rows.h"
#include "src/ops/packbits/kernel.h"
#include "src/ops/packbits/rooms.h"

namespace weft {
namespace detail {

struct PackBitsCuda : RowOperator<PackBitsSpec> {
  using RowOperator::RowOperator;
};

}  // namespace detail

PackBitsSpec select_packbits(const PackBitsConfig& c) { return {.order = c.order, .vec = 8}; }

std::shared_ptr<const detail::PackBitsCuda> prepare_packbits_cuda(const PackBitsConfig& config,
                                                                  const CudaBackend& backend) {
  return std::make_shared<const detail::PackBitsCuda>(backend, select_packbits(config));
}

void run_packbits_cuda(const detail::PackBitsCuda& cuda, const PackBitsParams& p,
                       const Executor& executor) {
  const bool wide = p.indptr == nullptr && reinterpret_cast<uintptr_t>(p.x) % 8 == 0;
  const int64_t ctas = ceil_div<int64_t>(p.num_bytes, cuda.spec(wide).num_threads);
  cuda.launch(wide, checked_grid("out", ctas), executor, p);
}

std::string explain_packbits_cuda(const detail::PackBitsCuda& cuda) {
  return cuda.explain("a thread a byte");
}

}  // namespace weft
