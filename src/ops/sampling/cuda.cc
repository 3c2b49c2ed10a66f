// SPDX-License-Identifier: Apache-2.0
// Sampling on a GPU: which kernels, and one launch of a cluster a row.
#include "src/base/check.h"
#include "src/cuda/row_slices.h"
#include "src/ops/sampling/kernel.h"
#include "src/ops/sampling/rooms.h"

namespace weft {
namespace detail {

struct SamplingCuda {
  SamplingCuda(const SamplingConfig& config, const CudaBackend& cuda)
      : backend(compiled(config, cuda)),
        draw(cuda, spec_of(config, cuda, SamplingJob::draw, DType::f32)),
        filters{RowOperator<SamplingRowSpec>(
                    cuda, spec_of(config, cuda, SamplingJob::filter, DType::f32)),
                RowOperator<SamplingRowSpec>(
                    cuda, spec_of(config, cuda, SamplingJob::filter, DType::f16)),
                RowOperator<SamplingRowSpec>(
                    cuda, spec_of(config, cuda, SamplingJob::filter, DType::bf16))},
        state(cuda.state().device, {}) {}

  static SamplingRowSpec spec_of(const SamplingConfig& config, const CudaBackend& cuda,
                                 SamplingJob job, DType dtype_out) {
    return select_sampling_row(config, cuda.target(), job, dtype_out);
  }

  // All kernels at once, as many at a time as there are processors; each is then found.
  static const CudaBackend& compiled(const SamplingConfig& config, const CudaBackend& cuda) {
    std::vector<KernelRequest> requests;
    const auto add = [&](SamplingJob job, DType dtype_out) {
      const SamplingRowSpec spec = spec_of(config, cuda, job, dtype_out);
      requests.push_back(kernel_request(spec, cuda.target().arch));
      requests.push_back(kernel_request(narrowed(spec), cuda.target().arch));
    };
    add(SamplingJob::draw, DType::f32);
    for (DType dtype_out : {DType::f32, DType::f16, DType::bf16}) {
      add(SamplingJob::filter, dtype_out);
    }
    cuda.state().store.prepare(requests);
    return cuda;
  }

  CudaBackend backend;  // first: it outlives what lies on the device
  RowOperator<SamplingRowSpec> draw;
  std::array<RowOperator<SamplingRowSpec>, 3> filters;  // into f32, f16, bf16
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

void run_sampling_cuda(const detail::SamplingCuda& cuda, const SamplingConfig& config,
                       SamplingParams p, bool wide, const Executor& executor) {
  p.fault = config.checked ? cuda.state.fault() : nullptr;
  launch_clusters(cuda.draw, p.n, wide, executor, p);
}

void run_filter_cuda(const detail::SamplingCuda& cuda, const SamplingConfig& config,
                     SamplingParams p, DType dtype_out, bool wide, const Executor& executor) {
  const auto& kernels = cuda.filters[static_cast<size_t>(dtype_out) - 1];
  p.fault = config.checked ? cuda.state.fault() : nullptr;
  launch_clusters(kernels, p.n, wide, executor, p);
}

int sampling_vec(const detail::SamplingCuda& cuda) { return cuda.draw.wide_spec.vec; }

void check_sampling_cuda(const detail::SamplingCuda& cuda, const Executor& executor) {
  cuda.state.throw_fault(executor.stream);
}

std::string explain_sampling_cuda(const detail::SamplingCuda& cuda) {
  return cuda.draw.explain(describe(cuda.draw.wide_spec.slices).c_str());
}

}  // namespace weft
