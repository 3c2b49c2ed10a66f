// SPDX-License-Identifier: Apache-2.0
// norm on the CPU: rows in parallel, each by one kernel.
#include "src/cpu/parallel_rows.h"
#include "src/ops/norm/rooms.h"
#include "src/ops/norm/unit.h"

namespace weft {

extern const NormTable kNormTableScalar;
#if defined(__x86_64__)
extern const NormTable kNormTableAvx2;
extern const NormTable kNormTableAvx512;
#endif

namespace {

const NormTable& norm_table(RowUnit unit) {
#if defined(__x86_64__)
  if (unit == RowUnit::cpu_avx512) return kNormTableAvx512;
  if (unit == RowUnit::cpu_avx2) return kNormTableAvx2;
#endif
  (void)unit;
  return kNormTableScalar;
}

// The element at `offset`, or null where nothing was given.
const void* at(const void* base, int64_t offset, DType dtype) {
  return base == nullptr ? nullptr : static_cast<const char*>(base) + offset * size_of(dtype);
}

NormRow row_of(const NormSpec& spec, const NormParams& p, int64_t row) {
  const int64_t t = row / p.num_heads, h = row % p.num_heads;
  const int64_t residual = t * p.residual_stride_token + h * p.residual_stride_head;
  const int64_t out = t * p.out_stride_token + h * p.out_stride_head;
  return {.x = at(p.x, t * p.x_stride_token + h * p.x_stride_head, spec.dtype),
          .residual = const_cast<void*>(at(p.residual, residual, spec.dtype)),
          .weight = at(p.weight, h * p.weight_stride_head, spec.dtype_weight),
          .bias = at(p.bias, h * p.bias_stride_head, spec.dtype_weight),
          .out = const_cast<void*>(at(p.out, out, spec.dtype_out)),
          .hidden = spec.hidden,
          .kind = spec.kind,
          .eps = p.eps,
          .weight_offset = p.weight_offset,
          .scale = p.scales == nullptr ? p.scale : p.scale / p.scales[h]};
}

}  // namespace

void run_norm_cpu(const NormSpec& spec, const NormParams& params, const Executor& executor) {
  const NormKernel kernel =
      norm_table(spec.unit).kernel(spec.dtype, spec.dtype_weight, spec.dtype_out);
  const int64_t reads = params.residual == nullptr ? 1 : 3;  // residual is written too
  const int64_t bytes = spec.hidden * (reads * size_of(spec.dtype) + size_of(spec.dtype_out));
  parallel_rows(executor, params.n * params.num_heads, bytes, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) kernel(row_of(spec, params, row));
  });
}

}  // namespace weft
