// SPDX-License-Identifier: Apache-2.0
// norm on a GPU: which kernels, and one launch.
#include "src/cuda/rows.h"
#include "src/ops/norm/kernel.h"
#include "src/ops/norm/rooms.h"

namespace weft {
namespace detail {

struct NormCuda : RowOperator<NormWarpSpec> {
  using RowOperator::RowOperator;
};

}  // namespace detail

namespace {

// Registers of a row that a thread holds, where there are threads enough: two vectors of 16 bytes.
// 16384 rows of 4096 without a residual: 66.4 us; one vector 84, four 66.8 and spills.
constexpr int kUsualWords = 8;
constexpr int kMostThreads = 1024;
constexpr int kThreadsOfShortRows = 128;

// Threads an SM is to hold. 1536 have 40 registers each, which the plainest form fits: 16384 rows
// of 4096 take 66.4 us in place of the 71.4 of 1024. What adds a residual would spill: 139 for 133.
int threads_per_sm(const NormWarpSpec& s) {
  const bool plain = s.kind == NormKind::rms && !s.adds && size_of(s.dtype_weight) == 2;
  return plain && s.pieces() == 1 ? 1536 : 1024;
}

// Deals a row to as many threads as `vec` and the length of a row ask for.
NormWarpSpec dealt(NormWarpSpec spec) {
  const int64_t words = int64_t{spec.needed()} * spec.words();
  int lanes = 1;
  while (lanes < kMostThreads && int64_t{lanes} * kUsualWords < words) lanes *= 2;
  spec.lanes = lanes;
  spec.num_threads = lanes > 32 ? lanes : kThreadsOfShortRows;
  spec.ctas_per_sm = max_of(1, threads_per_sm(spec) / spec.num_threads);
  return spec;
}

}  // namespace

NormWarpSpec select_norm_warp(const NormConfig& c) {
  NormWarpSpec spec;
  spec.dtype = c.dtype;
  spec.dtype_out = c.dtype_out;
  spec.dtype_weight = c.dtype_weight;
  spec.kind = c.kind;
  spec.adds = c.residual;
  spec.hidden = c.hidden;
  spec.vec = widest_vector(c.dtype, {c.hidden});
  return dealt(spec);
}

NormWarpSpec narrowed(NormWarpSpec spec) {
  spec.vec = 1;
  return dealt(spec);
}

std::shared_ptr<const detail::NormCuda> prepare_norm_cuda(const NormConfig& config,
                                                          const CudaBackend& backend) {
  return std::make_shared<const detail::NormCuda>(backend, select_norm_warp(config));
}

void run_norm_cuda(const detail::NormCuda& cuda, const NormArgs& args, NormParams p,
                   const Executor& executor) {
  const int vec = cuda.wide_spec.vec;
  const bool wide = fits_vectors(args.x, vec) && fits_vectors(args.residual, vec) &&
                    fits_vectors(args.out, vec) && fits_vectors(args.weight, vec) &&
                    fits_vectors(args.bias, vec);
  const NormWarpSpec& spec = cuda.spec(wide);
  p.num_rows = checked_grid("n", p.n * p.num_heads);
  p.heads = FastDivisor::of(p.num_heads);
  const int needed = ceil_div(p.num_rows, spec.rows_per_cta());
  cuda.launch(wide, needed, executor, p);
}

std::string explain_norm_cuda(const detail::NormCuda& cuda) {
  const std::string lanes = std::to_string(cuda.wide_spec.lanes) + " threads a row";
  return cuda.explain(lanes.c_str());
}

}  // namespace weft
