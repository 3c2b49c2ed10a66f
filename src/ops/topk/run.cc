// SPDX-License-Identifier: Apache-2.0
// The public Topk: check, bind, hand over. Nothing is decided here.
#include "src/base/check.h"
#include "src/cpu/rows.h"
#include "src/cuda/rows.h"
#include "src/ops/topk/rooms.h"

namespace weft {
namespace {

const int32_t* ints(const TensorView& tensor) { return static_cast<const int32_t*>(tensor.data); }

}  // namespace

TopkParams bind_topk(const TopkConfig& config, const TopkArgs& args) {
  TopkParams p{};
  p.input = args.input.data;
  p.input_stride = args.input.strides[0];
  p.n = args.input.shape[0];
  p.lengths = ints(args.lengths);
  p.row_starts = ints(args.row_starts);
  p.page_table = ints(args.page_table);
  p.page_table_stride = args.page_table.strides[0];
  p.batch_size = static_cast<int32_t>(args.page_table.shape[0]);
  p.pages = static_cast<int32_t>(args.page_table.shape[1]);
  p.page_size = config.page_size;
  p.row_to_batch = ints(args.row_to_batch);
  p.offsets = ints(args.offsets);
  p.indices = static_cast<int32_t*>(args.indices.data);
  p.indices_stride = args.indices.strides[0];
  p.values = args.values.data;
  p.values_stride = args.values.strides[0];
  p.max_len = config.max_len;
  p.k = config.k;
  return p;
}

Topk::Topk(const TopkConfig& config, const Target& target) {
  auto impl = std::make_shared<detail::TopkImpl>();
  check_config(config);
  impl->config = config;
  impl->target = target;
  impl->spec = select_topk(config, target);
  impl_ = std::move(impl);
}

Topk::Topk(const TopkConfig& config, const CudaBackend& backend) {
  auto impl = std::make_shared<detail::TopkImpl>();
  check_config(config);
  impl->config = config;
  impl->target = backend.target();
  impl->cuda = prepare_topk_cuda(config, backend);
  impl_ = std::move(impl);
}

const TopkConfig& Topk::config() const { return alive("topk", impl_).config; }

std::string Topk::explain() const {
  const auto& impl = alive("topk", impl_);
  return to_string(impl.config) + "\n" +
         (impl.cuda ? explain_topk_cuda(*impl.cuda)
                    : explain_row_unit(impl.spec.unit, impl.target)) +
         "ties: the lower position, on every device\n";
}

void Topk::run(const TopkArgs& args, const Executor& executor) const {
  const detail::TopkImpl& impl = alive("topk", impl_);
  check_topk_args(impl.config, device_of(impl.target), args);
  const TopkParams params = bind_topk(impl.config, args);
  if (params.n == 0) return;
  if (impl.cuda != nullptr) {
    // A row that starts anywhere is read element by element.
    const bool wide = !args.row_starts.given() && fits_vectors(args.input, topk_vec(*impl.cuda));
    return run_topk_cuda(*impl.cuda, impl.config, params, wide, executor);
  }
  if (impl.config.checked) check_contents(params);
  run_topk_cpu(impl.spec, params, executor);
}

void Topk::check(const Executor& executor) const {
  if (alive("topk", impl_).cuda != nullptr) check_topk_cuda(*impl_->cuda, executor);
}

}  // namespace weft
