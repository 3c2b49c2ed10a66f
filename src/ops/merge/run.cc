// SPDX-License-Identifier: Apache-2.0
// The public Merge: check, bind, hand over. Nothing is decided here.
#include <algorithm>
#include <initializer_list>

#include "src/base/check.h"
#include "src/cpu/rows.h"
#include "src/cuda/rows.h"
#include "src/ops/merge/rooms.h"

namespace weft {
namespace {

const float* floats(const TensorView& tensor) { return static_cast<const float*>(tensor.data); }

void bind_outputs(const TensorView& o, const TensorView& lse, MergeParams& p) {
  p.o = o.data;
  p.o_stride_row = o.strides[0], p.o_stride_head = o.strides[1];
  p.lse = static_cast<float*>(lse.data);
  p.lse_stride_row = lse.strides[0];
}

MergeParams bind_merge(const MergeConfig& config, const MergeArgs& args) {
  const TensorView &o = args.o_in, &lse = args.lse_in;
  MergeParams p{};
  p.n = o.shape[0];
  p.num_states = static_cast<int32_t>(o.shape[1]);
  bind_outputs(args.o, args.lse, p);
  if (p.num_states == 0) return p;
  p.o_first = o.data, p.lse_first = floats(lse);
  p.o_first_stride_row = o.strides[0], p.o_first_stride_head = o.strides[2];
  p.lse_first_stride_row = lse.strides[0];
  if (p.num_states == 1) return p;
  p.o_rest = static_cast<const char*>(o.data) + o.strides[1] * size_of(config.dtype);
  p.o_rest_stride_row = o.strides[0], p.o_rest_stride_head = o.strides[2];
  p.o_rest_stride_state = o.strides[1];
  p.lse_rest = p.lse_first + lse.strides[1];
  p.lse_rest_stride_row = lse.strides[0], p.lse_rest_stride_state = lse.strides[1];
  return p;
}

MergeParams bind_merge(const MergePairArgs& args) {
  MergeParams p{};
  p.n = args.o_a.shape[0];
  p.num_states = 2;
  p.o_first = args.o_a.data, p.o_rest = args.o_b.data;
  p.lse_first = floats(args.lse_a), p.lse_rest = floats(args.lse_b);
  p.mask = static_cast<const uint8_t*>(args.mask.data);
  p.o_first_stride_row = args.o_a.strides[0], p.o_first_stride_head = args.o_a.strides[1];
  p.o_rest_stride_row = args.o_b.strides[0], p.o_rest_stride_head = args.o_b.strides[1];
  p.lse_first_stride_row = args.lse_a.strides[0];
  p.lse_rest_stride_row = args.lse_b.strides[0];
  bind_outputs(args.o, args.lse, p);
  return p;
}

// Whether every row takes accesses of `vec` elements.
bool all_fit(std::initializer_list<const TensorView*> tensors, int vec) {
  return std::all_of(tensors.begin(), tensors.end(),
                     [&](const TensorView* t) { return fits_vectors(*t, vec); });
}

}  // namespace

Merge::Merge(const MergeConfig& config, const Target& target) {
  auto impl = std::make_shared<detail::MergeImpl>();
  impl->config = checked_config(config);
  impl->target = target;
  impl->spec = select_merge(impl->config, target);
  impl_ = std::move(impl);
}

Merge::Merge(const MergeConfig& config, const CudaBackend& backend) {
  auto impl = std::make_shared<detail::MergeImpl>();
  impl->config = checked_config(config);
  impl->target = backend.target();
  impl->cuda = prepare_merge_cuda(impl->config, backend);
  impl_ = std::move(impl);
}

const MergeConfig& Merge::config() const { return alive("merge", impl_).config; }

std::string Merge::explain() const {
  const auto& impl = alive("merge", impl_);
  return to_string(impl.config) + "\n" +
         (impl.cuda ? explain_merge_cuda(*impl.cuda)
                    : explain_row_unit(impl.spec.unit, impl.target)) +
         "order: states ascending, whatever the number of threads\n";
}

void Merge::run(const MergeArgs& args, const Executor& executor) const {
  const detail::MergeImpl& impl = alive("merge", impl_);
  check_merge_args(impl.config, device_of(impl.target), args);
  if (args.o_in.shape[0] == 0) return;
  if (impl.cuda == nullptr) {
    return run_merge_cpu(impl.spec, bind_merge(impl.config, args), executor);
  }
  run_merge_cuda(*impl.cuda, impl.config, bind_merge(impl.config, args),
                 all_fit({&args.o_in, &args.o}, merge_vec(*impl.cuda)), executor);
}

void Merge::run(const MergePairArgs& args, const Executor& executor) const {
  const detail::MergeImpl& impl = alive("merge", impl_);
  check_merge_args(impl.config, device_of(impl.target), args);
  if (args.o_a.shape[0] == 0) return;
  if (impl.cuda == nullptr) return run_merge_cpu(impl.spec, bind_merge(args), executor);
  run_merge_cuda(*impl.cuda, impl.config, bind_merge(args),
                 all_fit({&args.o_a, &args.o_b, &args.o}, merge_vec(*impl.cuda)), executor);
}

}  // namespace weft
