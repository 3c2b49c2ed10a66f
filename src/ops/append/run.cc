// SPDX-License-Identifier: Apache-2.0
// The public Append: check, bind, hand over. Nothing is decided here.
#include "src/base/check.h"
#include "src/ops/append/rooms.h"

namespace weft {
namespace {

const int32_t* ints(const TensorView& tensor) { return static_cast<const int32_t*>(tensor.data); }
const float* floats(const TensorView& tensor) { return static_cast<const float*>(tensor.data); }

void bind_tensors(const AppendArgs& args, KvLayout layout, AppendParams& p) {
  const int token = layout == KvLayout::nhd ? 1 : 2;
  const int head = 3 - token;
  p.k = args.k.data, p.v = args.v.data, p.q = args.q.data;
  p.k_cache = args.k_cache.data, p.v_cache = args.v_cache.data, p.q_out = args.q_out.data;
  p.k_stride_token = args.k.strides[0], p.k_stride_head = args.k.strides[1];
  p.v_stride_token = args.v.strides[0], p.v_stride_head = args.v.strides[1];
  p.q_stride_token = args.q.strides[0], p.q_stride_head = args.q.strides[1];
  p.q_out_stride_token = args.q_out.strides[0], p.q_out_stride_head = args.q_out.strides[1];
  p.k_cache_stride_page = args.k_cache.strides[0];
  p.k_cache_stride_token = args.k_cache.strides[token];
  p.k_cache_stride_head = args.k_cache.strides[head];
  p.v_cache_stride_page = args.v_cache.strides[0];
  p.v_cache_stride_token = args.v_cache.strides[token];
  p.v_cache_stride_head = args.v_cache.strides[head];
  p.nnz = args.k.shape[0];
}

}  // namespace

AppendParams bind_append(const AppendConfig& config, const RopeTurns& turns,
                         const AppendArgs& args) {
  AppendParams p{};
  bind_tensors(args, config.kv_layout, p);
  p.batch_indices = ints(args.batch_indices), p.positions = ints(args.positions);
  p.kv_indptr = ints(args.kv_indptr), p.kv_indices = ints(args.kv_indices);
  p.k_scale = 1.0f / args.k_scale, p.v_scale = 1.0f / args.v_scale;
  p.q_scale = 1.0f / args.q_scale;
  p.k_weight = args.k_weight.data, p.q_weight = args.q_weight.data;
  p.norm_eps = config.norm_eps, p.norm_weight_offset = config.norm_weight_offset;
  p.k_scales = floats(args.k_scales), p.v_scales = floats(args.v_scales);
  if (args.rope_positions.dtype == DType::i32) p.rope_positions_i32 = ints(args.rope_positions);
  if (args.rope_positions.dtype == DType::i64) {
    p.rope_positions_i64 = static_cast<const int64_t*>(args.rope_positions.data);
  }
  p.cos_sin_cache = floats(args.cos_sin_cache);
  p.cache_stride = args.cos_sin_cache.strides[0];
  p.turns = turns.turns;
  return p;
}

Append::Append(const AppendConfig& config, const Target& target) {
  auto impl = std::make_shared<detail::AppendImpl>();
  impl->config = checked_config(config);
  impl->target = target;
  impl->spec = select_append(impl->config, target);
  impl->turns = make_turns(impl->config.rope);
  impl_ = std::move(impl);
}

Append::Append(const AppendConfig& config, const CudaBackend& backend) {
  auto impl = std::make_shared<detail::AppendImpl>();
  impl->config = checked_config(config);
  impl->target = backend.target();
  impl->turns = make_turns(impl->config.rope);
  impl->cuda = prepare_append_cuda(impl->config, backend, impl->turns);
  impl_ = std::move(impl);
}

const AppendConfig& Append::config() const { return alive("append", impl_).config; }

std::string Append::explain() const {
  const detail::AppendImpl& impl = alive("append", impl_);
  const AppendConfig& c = impl.config;
  std::string text =
      to_string(c) + "\n" +
      (impl.cuda ? explain_append_cuda(*impl.cuda) : explain_row_unit(impl.spec.unit, impl.target));
  if (c.rope.mode != RopeMode::none) {
    text += "angles: frequencies as 64-bit fractions of a turn, or the caller's cos_sin_cache\n";
  }
  if (!c.checked) return text + "indices: trusted\n";
  return text + (impl.cuda ? "indices: checked by the kernel, wrong tokens left out and noted\n"
                           : "indices: read and checked before the first write\n");
}

void Append::run(const AppendArgs& args, const Executor& executor) const {
  const detail::AppendImpl& impl = alive("append", impl_);
  check_append_args(impl.config, device_of(impl.target), args);
  if (args.k.shape[0] == 0) return;
  if (impl.cuda != nullptr) {
    run_append_cuda(*impl.cuda, impl.config, args, bind_append(impl.config, impl.turns, args),
                    executor);
  } else {
    run_append_cpu(impl.spec, bind_append(impl.config, impl.turns, args), executor);
  }
}

void Append::check(const Executor& executor) const {
  if (alive("append", impl_).cuda != nullptr) check_append_cuda(*impl_->cuda, executor);
}

}  // namespace weft
