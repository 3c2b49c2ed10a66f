// SPDX-License-Identifier: Apache-2.0
// append on a GPU: which kernels, and one launch. Angles come from a table made with the operator.
#include "src/cuda/rows.h"
#include "src/ops/append/kernel.h"
#include "src/ops/append/rooms.h"

namespace weft {
namespace detail {

struct AppendCuda : CheckedOperator<AppendWarpSpec> {
  using CheckedOperator::CheckedOperator;
};

}  // namespace detail

namespace {

// One warp a token: 54.5 us for 8192 tokens with q, 55.4 with two, 61.5 with four.
constexpr int kUsualShift = 0;

bool all_fit(const AppendArgs& args, int vec) {
  for (const TensorView* t : {&args.k, &args.v, &args.k_cache, &args.v_cache, &args.q, &args.q_out,
                              &args.k_weight, &args.q_weight}) {
    if (!fits_vectors(*t, vec)) return false;
  }
  return true;
}

}  // namespace

void complete_append(const AppendConfig& config, const AppendArgs& args, AppendParams& p) {
  p.num_kv_heads = config.num_kv_heads;
  p.num_qo_heads = config.num_qo_heads;
  p.page_size = config.page_size;
  p.batch_size = static_cast<int32_t>(args.kv_indptr.shape[0] - 1);
  p.num_indices = args.kv_indices.shape[0];
  p.num_pages = args.k_cache.shape[0];
  p.max_position = positions_with_angles(args.cos_sin_cache);
  p.copies_rest = p.q_out != p.q || p.q_scale != 1.0f;  // normalised heads are written whole
}

AppendWarpSpec select_append_warp(const AppendConfig& c) {
  AppendWarpSpec spec;
  spec.dtype = c.dtype;
  spec.dtype_kv = c.dtype_kv;
  spec.head_dim_qk = c.head_dim_qk;
  spec.head_dim_vo = c.head_dim_vo;
  spec.mode = c.rope.mode;
  spec.rotated_dim = c.rope.mode == RopeMode::none ? 0 : c.rope.dim;
  spec.has_q = c.num_qo_heads > 0;
  spec.normed = c.qk_norm;
  spec.dtype_q_out = c.dtype_q_out;
  // 8192 tokens of 8 heads: 18.7 us; with one head in flight 19.3, with 256 threads 18.8. A
  // rotation takes 16 registers more for angles, a conversion some.
  const bool converts = c.dtype_kv != c.dtype;
  const bool rotates = spec.rotated_dim > 0 || spec.normed;
  spec.unroll = spec.normed || (rotates && converts) ? 1 : 2;
  spec.num_threads = rotates ? 256 : 128;
  spec.ctas_per_sm = rotates ? 3 : converts ? 8 : 10;
  spec.vec = widest_vector(c.dtype,
                           {spec.rotated_dim / 2, c.head_dim_qk - spec.rotated_dim, c.head_dim_vo});
  return spec;
}

std::shared_ptr<const detail::AppendCuda> prepare_append_cuda(const AppendConfig& config,
                                                              const CudaBackend& backend,
                                                              const RopeTurns& turns) {
  return std::make_shared<const detail::AppendCuda>(backend, select_append_warp(config),
                                                    turns.of(config.rope));
}

void run_append_cuda(const detail::AppendCuda& cuda, const AppendConfig& config,
                     const AppendArgs& args, AppendParams p, const Executor& executor) {
  const bool wide = all_fit(args, cuda.wide_spec.vec);
  const AppendWarpSpec& spec = cuda.spec(wide);
  const RowGrid grid =
      RowGrid::of(p.nnz, max_of(config.num_kv_heads, config.num_qo_heads), spec.key_rows(),
                  kUsualShift, spec.num_threads, cuda.device().target());
  complete_append(config, args, p);
  p.turns = cuda.state.turns();
  p.share_shift = grid.share_shift;
  p.fault = config.checked ? cuda.state.fault() : nullptr;
  cuda.launch(wide, grid.num_ctas, executor, p);
}

void check_append_cuda(const detail::AppendCuda& cuda, const Executor& executor) {
  cuda.state.throw_fault(executor.stream);
}

std::string explain_append_cuda(const detail::AppendCuda& cuda) {
  return cuda.explain("a warp a token");
}

}  // namespace weft
