// SPDX-License-Identifier: Apache-2.0
// rope on a GPU: which kernels, and one launch. Angles come from a table made with the operator.
#include "src/cuda/rows.h"
#include "src/ops/rope/kernel.h"
#include "src/ops/rope/rooms.h"

namespace weft {
namespace detail {

struct RopeCuda : CheckedOperator<RopeWarpSpec> {
  using CheckedOperator::CheckedOperator;
};

}  // namespace detail

namespace {

// Four warps a token: 42.8 us for 8192 tokens of 32/8 heads; two 44.0, eight 43.5. The fewer bytes
// the chip is in the middle of, the fewer pages of memory are open: for the same reason one head in
// flight a lane and small CTAs, see docs/kernels/small_ops.md.
constexpr int kUsualShift = 2;

}  // namespace

RopeWarpSpec select_rope_warp(const RopeConfig& c) {
  RopeWarpSpec spec;
  spec.dtype = c.dtype;
  spec.head_dim = c.head_dim;
  spec.rotated_dim = c.rope.dim;
  spec.mode = c.rope.mode;
  spec.vec = widest_vector(c.dtype, {c.rope.dim / 2, c.head_dim - c.rope.dim});
  return spec;
}

std::shared_ptr<const detail::RopeCuda> prepare_rope_cuda(const RopeConfig& config,
                                                          const CudaBackend& backend,
                                                          const RopeTurns& turns) {
  return std::make_shared<const detail::RopeCuda>(backend, select_rope_warp(config),
                                                  turns.of(config.rope));
}

void run_rope_cuda(const detail::RopeCuda& cuda, const RopeConfig& config, const RopeArgs& args,
                   RopeParams p, const Executor& executor) {
  const int vec = cuda.wide_spec.vec;
  const bool wide = fits_vectors(args.q, vec) && fits_vectors(args.k, vec) &&
                    fits_vectors(args.q_out, vec) && fits_vectors(args.k_out, vec);
  const RopeWarpSpec& spec = cuda.spec(wide);
  const RowGrid grid = RowGrid::of(p.nnz, config.num_qo_heads + config.num_kv_heads, spec.rows(),
                                   kUsualShift, spec.num_threads, cuda.device().target());
  p.turns = cuda.state.turns();
  p.num_qo_heads = config.num_qo_heads;
  p.num_kv_heads = config.num_kv_heads;
  p.share_shift = grid.share_shift;
  p.max_position = positions_with_angles(args.cos_sin_cache);
  p.fault = config.checked ? cuda.state.fault() : nullptr;
  p.copies_rest = p.q_out != p.q || p.k_out != p.k;
  cuda.launch(wide, grid.num_ctas, executor, p);
}

void check_rope_cuda(const detail::RopeCuda& cuda, const Executor& executor) {
  cuda.state.throw_fault(executor.stream);
}

std::string explain_rope_cuda(const detail::RopeCuda& cuda) {
  return cuda.explain("a warp a token");
}

}  // namespace weft
