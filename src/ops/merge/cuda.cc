// SPDX-License-Identifier: Apache-2.0
// merge on a GPU: which kernels, and one launch.
#include "src/cuda/rows.h"
#include "src/ops/merge/kernel.h"
#include "src/ops/merge/rooms.h"

namespace weft {
namespace detail {

struct MergeCuda : RowOperator<MergeWarpSpec> {
  using RowOperator::RowOperator;
};

}  // namespace detail

namespace {

constexpr float kLog2E = 1.44269504088896340736f;
constexpr float kLn2 = 0.69314718055994530942f;

}  // namespace

MergeWarpSpec select_merge_warp(const MergeConfig& c) {
  MergeWarpSpec spec;
  spec.dtype = c.dtype;
  spec.dtype_o = c.dtype_o;
  spec.head_dim = c.head_dim;
  spec.vec = widest_vector(c.dtype, {c.head_dim});
  // States in flight. f32 states are the many partial results of a split: four take 36 us where two
  // take 42 (1024 rows x 32 heads, 8 states). 16-bit ones are mostly pairs, whose missing third and
  // fourth would cost 77 us in place of 61 (8192 rows x 32 heads).
  spec.unroll = max_of(1, (c.dtype == DType::f32 ? 4 : 2) / spec.vectors());
  if (c.dtype == DType::f32) spec.ctas_per_sm = 5;
  if (c.head_dim > 256) spec.ctas_per_sm = 4;  // a lane holds up to 32 sums
  return spec;
}

std::shared_ptr<const detail::MergeCuda> prepare_merge_cuda(const MergeConfig& config,
                                                            const CudaBackend& backend) {
  return std::make_shared<const detail::MergeCuda>(backend, select_merge_warp(config));
}

int merge_vec(const detail::MergeCuda& cuda) { return cuda.wide_spec.vec; }

void run_merge_cuda(const detail::MergeCuda& cuda, const MergeConfig& config, MergeParams p,
                    bool wide, const Executor& executor) {
  const MergeWarpSpec& spec = cuda.spec(wide);
  int64_t items = 0;
  if (__builtin_mul_overflow(p.n, config.num_heads, &items) || items > 0x7fffffff) {
    fail(ErrorKind::out_of_limits, "n", "n * num_heads < 2^31", std::to_string(p.n));
  }
  p.num_heads = config.num_heads;
  p.to_base2 = config.lse_base2 ? 1.0f : kLog2E;
  p.from_base2 = config.lse_base2 ? 1.0f : kLn2;
  const int64_t ctas = ceil_div<int64_t>(items, spec.num_threads / spec.lanes());
  cuda.launch(wide, static_cast<int>(ctas), executor, p);
}

std::string explain_merge_cuda(const detail::MergeCuda& cuda) {
  return cuda.explain("some lanes a head");
}

}  // namespace weft
