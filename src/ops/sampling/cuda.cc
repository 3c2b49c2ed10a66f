// SPDX-License-Identifier: Apache-2.0
// Sampling on a GPU: which kernels, and one launch of a cluster a row.
#include "src/base/check.h"
#include "src/cuda/rows.h"
#include "src/ops/sampling/kernel.h"
#include "src/ops/sampling/rooms.h"

namespace weft {
namespace detail {

struct SamplingCuda {
  SamplingCuda(const SamplingConfig& config, const CudaBackend& cuda)
      : backend(cuda),
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

  CudaBackend backend;  // first: it outlives what lies on the device
  RowOperator<SamplingRowSpec> draw;
  std::array<RowOperator<SamplingRowSpec>, 3> filters;  // into f32, f16, bf16
  RowState state;
};

}  // namespace detail

namespace {

// Values a CTA keeps where the cluster may still grow: 64 KB, so that an SM holds two CTAs and one
// loads while the other searches.
constexpr int kMostOfCta = 16384;
constexpr int kNumThreads = 512;

void launch_rows(const RowOperator<SamplingRowSpec>& kernels, const SamplingConfig& config,
                 SamplingParams p, bool wide, const Executor& executor, uint64_t* fault) {
  check_cuda_executor(executor);
  const CudaDevice& device = kernels.device();
  p.fault = config.checked ? fault : nullptr;
  const int cluster = kernels.wide_spec.slices.cluster;
  int64_t ctas = 0;
  if (__builtin_mul_overflow(p.n, cluster, &ctas)) ctas = INT64_MAX;
  launch(device, wide ? *kernels.wide_kernel : *kernels.narrow_kernel,
         LaunchShape{.num_ctas = checked_grid("n", ctas),
                     .cluster = cluster,
                     .overlaps_previous = device.target().arch >= 90},
         executor.stream, p);
}

}  // namespace

SamplingRowSpec select_sampling_row(const SamplingConfig& c, const Target& target, SamplingJob job,
                                    DType dtype_out) {
  const bool clusters = target.arch >= 90;
  SamplingRowSpec spec;
  spec.dtype = c.dtype;
  spec.dtype_out = dtype_out;
  spec.job = job;
  spec.probs = c.input == SamplingInput::probs;
  spec.vec = 4;
  spec.slices = RowSlices::of(c.vocab_size, clusters ? kMostOfCta : kMaxVocab, kNumThreads);
  // What an SM has beside the 1 KB a CTA takes for itself.
  const int most = target.arch == 120 || target.arch == 89 ? 99 * 1024
                   : target.arch == 80                     ? 163 * 1024
                                                           : 227 * 1024;
  if (SamplingSmem::of(spec).bytes > most) {
    fail(ErrorKind::unsupported, "vocab_size",
         "a row that fits the shared memory of " + std::to_string(spec.slices.cluster) + " CTAs",
         std::to_string(c.vocab_size));
  }
  if (2 * SamplingSmem::of(spec).bytes > most) spec.slices.ctas_per_sm = 1;
  return spec;
}

std::shared_ptr<const detail::SamplingCuda> prepare_sampling_cuda(const SamplingConfig& config,
                                                                  const CudaBackend& backend) {
  return std::make_shared<const detail::SamplingCuda>(config, backend);
}

void run_sampling_cuda(const detail::SamplingCuda& cuda, const SamplingConfig& config,
                       SamplingParams p, bool wide, const Executor& executor) {
  launch_rows(cuda.draw, config, p, wide, executor, cuda.state.fault());
}

void run_filter_cuda(const detail::SamplingCuda& cuda, const SamplingConfig& config,
                     SamplingParams p, DType dtype_out, bool wide, const Executor& executor) {
  const auto& kernels = cuda.filters[static_cast<size_t>(dtype_out) - 1];
  launch_rows(kernels, config, p, wide, executor, cuda.state.fault());
}

int sampling_vec(const detail::SamplingCuda& cuda) { return cuda.draw.wide_spec.vec; }

void check_sampling_cuda(const detail::SamplingCuda& cuda, const Executor& executor) {
  cuda.state.throw_fault(executor.stream);
}

std::string explain_sampling_cuda(const detail::SamplingCuda& cuda) {
  const RowSlices& s = cuda.draw.wide_spec.slices;
  const std::string who = "a cluster of " + std::to_string(s.cluster) + " CTAs a row, " +
                          std::to_string(s.slice) + " values in each";
  return cuda.draw.explain(who.c_str());
}

}  // namespace weft
