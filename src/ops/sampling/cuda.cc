// SPDX-License-Identifier: Apache-2.0
// Sampling on a GPU: which kernels, and one launch of a cluster a row.
#include <algorithm>

#include "src/base/check.h"
#include "src/cuda/row_slices.h"
#include "src/ops/sampling/kernel.h"
#include "src/ops/sampling/rooms.h"

namespace weft {
namespace detail {

struct SamplingCuda {
  using Operator = LongRowOperator<SamplingRowSpec>;

  SamplingCuda(const SamplingConfig& config, const CudaBackend& cuda)
      : backend(compiled(config, cuda)),
        draw(made(config, cuda, SamplingJob::draw, DType::f32)),
        filters{made(config, cuda, SamplingJob::filter, DType::f32),
                made(config, cuda, SamplingJob::filter, DType::f16),
                made(config, cuda, SamplingJob::filter, DType::bf16)},
        state(cuda.state().device, {}) {}

  // Rows pass by for draws, and for output of the input's kind.
  static bool streams(const SamplingConfig& config, SamplingJob job, DType dtype_out) {
    return job == SamplingJob::draw || dtype_out == config.dtype;
  }

  static Operator made(const SamplingConfig& config, const CudaBackend& cuda, SamplingJob job,
                       DType dtype_out) {
    return Operator(cuda, select_sampling_row(config, cuda.target(), job, dtype_out),
                    config.vocab_size, streams(config, job, dtype_out));
  }

  // All kernels at once, as many at a time as there are processors; each is then found.
  static const CudaBackend& compiled(const SamplingConfig& config, const CudaBackend& cuda) {
    const Target& target = cuda.target();
    std::vector<KernelRequest> requests;
    const auto add = [&](SamplingJob job, DType dtype_out) {
      const SamplingRowSpec spec = select_sampling_row(config, target, job, dtype_out);
      requests.push_back(kernel_request(spec, target.arch));
      requests.push_back(kernel_request(narrowed(spec), target.arch));
      if (!streams(config, job, dtype_out)) return;
      for (KernelRequest& one : Operator::requests(spec, config.vocab_size, target)) {
        requests.push_back(std::move(one));
      }
    };
    add(SamplingJob::draw, DType::f32);
    for (DType dtype_out : {DType::f32, DType::f16, DType::bf16}) {
      add(SamplingJob::filter, dtype_out);
    }
    cuda.state().store.prepare(requests);
    return cuda;
  }

  CudaBackend backend;  // first: it outlives what lies on the device
  Operator draw;
  std::array<Operator, 3> filters;  // into f32, f16, bf16
  RowState state;
};

}  // namespace detail

SamplingRowSpec select_sampling_row(const SamplingConfig& c, const Target& target, SamplingJob job,
                                    DType dtype_out) {
  SamplingRowSpec spec;
  spec.dtype = c.dtype;
  spec.dtype_out = dtype_out;
  spec.job = job;
  spec.probs = c.input == SamplingInput::probs;
  spec.vec = 4;
  spec.slices = select_slices("vocab_size", c.vocab_size, target);
  return spec;
}

std::shared_ptr<const detail::SamplingCuda> prepare_sampling_cuda(const SamplingConfig& config,
                                                                  const CudaBackend& backend) {
  return std::make_shared<const detail::SamplingCuda>(config, backend);
}

namespace {

// Where top-k leaves a few of each row it need not be kept; where top-p looks at all of it besides,
// and where nothing but a draw or a share of all is asked for, only rows that fill the device gain.
// Top-p alone always does: bins of all values, in place of rounds over what is kept.
int choice_of(const SamplingParams& p, const Target& target) {
  const int64_t sms = target.num_sms;
  if (adjusts(p)) return -1;
  const int choice = stream_choice(p.n, target);
  if (p.top_k != nullptr) {
    return !p.joint || p.top_p == nullptr || p.n * 4 > sms ? choice : -1;
  }
  if (p.top_p != nullptr) return std::max(choice, 0);
  return p.n * 2 > sms ? choice : -1;
}

}  // namespace

void run_sampling_cuda(const detail::SamplingCuda& cuda, const SamplingConfig& config,
                       SamplingParams p, bool wide, const Executor& executor) {
  p.fault = config.checked ? cuda.state.fault() : nullptr;
  cuda.draw.run_as(choice_of(p, cuda.backend.target()), p.n, wide, executor, p);
}

void run_filter_cuda(const detail::SamplingCuda& cuda, const SamplingConfig& config,
                     SamplingParams p, DType dtype_out, bool wide, const Executor& executor) {
  const auto& kernels = cuda.filters[static_cast<size_t>(dtype_out) - 1];
  p.fault = config.checked ? cuda.state.fault() : nullptr;
  kernels.run_as(choice_of(p, cuda.backend.target()), p.n, wide, executor, p);
}

int sampling_vec(const detail::SamplingCuda& cuda) { return cuda.draw.wide_spec.vec; }

void check_sampling_cuda(const detail::SamplingCuda& cuda, const Executor& executor) {
  cuda.state.throw_fault(executor.stream);
}

std::string explain_sampling_cuda(const detail::SamplingCuda& cuda) {
  const Target& target = cuda.backend.target();
  std::string text =
      cuda.draw.explain(describe(cuda.draw.wide_spec.slices).c_str()) +
      describe_streams("with top_k or top_p, and nothing that adjusts logits", target);
  if (target.arch < 90) return text;
  return text + "top_p without top_k: fewer rows too, on 4 CTAs a row; neither: from " +
         std::to_string(target.num_sms / 2 + 1) + " rows\n";
}

}  // namespace weft
