// SPDX-License-Identifier: Apache-2.0
// The public PackBits: check, bind, hand over. Nothing is decided here.
#include "src/base/check.h"
#include "src/cpu/rows.h"
#include "src/ops/packbits/rooms.h"

namespace weft {

std::string to_string(const PackBitsConfig& c) {
  return std::string("pack bits, ") + name_of(c.order) + " first";
}

PackBitsConfig checked_config(const PackBitsConfig& config) {
  check_range("order", static_cast<int>(config.order), static_cast<int>(BitOrder::little),
              static_cast<int>(BitOrder::big));
  return config;
}

PackBitsParams bind_packbits(const PackBitsArgs& args) {
  PackBitsParams p{};
  p.x = static_cast<const uint8_t*>(args.x.data);
  p.out = static_cast<uint8_t*>(args.out.data);
  p.nnz = args.x.shape[0];
  p.indptr = static_cast<const int32_t*>(args.indptr.data);
  p.out_indptr = static_cast<const int32_t*>(args.out_indptr.data);
  if (args.indptr.given()) p.num_segments = static_cast<int32_t>(args.indptr.shape[0] - 1);
  p.num_bytes = args.indptr.given() ? args.out.shape[0] : ceil_div<int64_t>(p.nnz, 8);
  return p;
}

PackBits::PackBits(const PackBitsConfig& config, const Target& target) {
  auto impl = std::make_shared<detail::PackBitsImpl>();
  impl->config = checked_config(config);
  impl->target = target;
  row_unit(target);  // refuses a target that is no CPU
  impl_ = std::move(impl);
}

PackBits::PackBits(const PackBitsConfig& config, const CudaBackend& backend) {
  auto impl = std::make_shared<detail::PackBitsImpl>();
  impl->config = checked_config(config);
  impl->target = backend.target();
  impl->cuda = prepare_packbits_cuda(impl->config, backend);
  impl_ = std::move(impl);
}

const PackBitsConfig& PackBits::config() const { return alive("packbits", impl_).config; }

std::string PackBits::explain() const {
  const auto& impl = alive("packbits", impl_);
  return to_string(impl.config) + "\n" +
         (impl.cuda ? explain_packbits_cuda(*impl.cuda) : "unit: cpu, a word of eight at a time\n");
}

void PackBits::run(const PackBitsArgs& args, const Executor& executor) const {
  const detail::PackBitsImpl& impl = alive("packbits", impl_);
  check_packbits_args(device_of(impl.target), args);
  const PackBitsParams params = bind_packbits(args);
  if (params.num_bytes == 0) return;
  if (impl.cuda != nullptr) return run_packbits_cuda(*impl.cuda, params, executor);
  run_packbits_cpu(impl.config, params, executor);
}

}  // namespace weft
