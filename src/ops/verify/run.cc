// SPDX-License-Identifier: Apache-2.0
// The public Verify: check, bind, hand over. Nothing is decided here.
#include "src/base/check.h"
#include "src/cpu/rows.h"
#include "src/cuda/rows.h"
#include "src/ops/verify/rooms.h"

namespace weft {

VerifyParams bind_verify(const VerifyConfig& config, const VerifyArgs& args) {
  VerifyParams p{};
  p.draft_probs = args.draft_probs.data;
  p.target_probs = args.target_probs.data;
  p.draft_tokens = data_of<int32_t>(args.draft_tokens);
  p.first_child = data_of<int32_t>(args.first_child);
  p.next_sibling = data_of<int32_t>(args.next_sibling);
  p.seed = data_of<int64_t>(args.seed);
  p.offset = data_of<int64_t>(args.offset);
  p.tokens = static_cast<int32_t*>(args.tokens.data);
  p.accepted = static_cast<int32_t*>(args.accepted.data);
  p.emitted = static_cast<int32_t*>(args.emitted.data);
  p.status = static_cast<uint8_t*>(args.status.data);
  p.draft_stride = args.draft_probs.strides[0];
  p.draft_row_stride = args.draft_probs.strides[1];
  p.target_stride = args.target_probs.strides[0];
  p.target_row_stride = args.target_probs.strides[1];
  p.draft_tokens_stride = args.draft_tokens.strides[0];
  p.first_child_stride = args.first_child.strides[0];
  p.next_sibling_stride = args.next_sibling.strides[0];
  p.tokens_stride = args.tokens.strides[0];
  p.n = args.target_probs.shape[0];
  p.num_draft = config.num_draft;
  p.vocab_size = config.vocab_size;
  return p;
}

Verify::Verify(const VerifyConfig& config, const Target& target) {
  auto impl = std::make_shared<detail::VerifyImpl>();
  check_config(config);
  impl->config = config;
  impl->target = target;
  impl->spec = select_verify(config, target);
  impl_ = std::move(impl);
}

Verify::Verify(const VerifyConfig& config, const CudaBackend& backend) {
  auto impl = std::make_shared<detail::VerifyImpl>();
  check_config(config);
  impl->config = config;
  impl->target = backend.target();
  impl->cuda = prepare_verify_cuda(config, backend);
  impl_ = std::move(impl);
}

const VerifyConfig& Verify::config() const { return alive("verify", impl_).config; }

std::string Verify::explain() const {
  const auto& impl = alive("verify", impl_);
  return to_string(impl.config) + "\n" +
         (impl.cuda ? explain_verify_cuda(*impl.cuda)
                    : explain_row_unit(impl.spec.unit, impl.target)) +
         "masses: integers; the same tokens on every device\n";
}

void Verify::run(const VerifyArgs& args, const Executor& executor) const {
  const detail::VerifyImpl& impl = alive("verify", impl_);
  check_verify_args(impl.config, device_of(impl.target), args);
  const VerifyParams params = bind_verify(impl.config, args);
  if (params.n == 0) return;
  if (impl.cuda != nullptr) {
    const int vec = verify_vec(*impl.cuda);
    const bool wide = fits_vectors(args.target_probs, vec) && fits_vectors(args.draft_probs, vec);
    return run_verify_cuda(*impl.cuda, params, wide, executor);
  }
  run_verify_cpu(impl.spec, params, executor);
}

}  // namespace weft
