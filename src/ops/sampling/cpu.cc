// SPDX-License-Identifier: Apache-2.0
// Sampling on the CPU: rows in parallel, each by one thread.
#include "src/cpu/parallel_rows.h"
#include "src/ops/sampling/rooms.h"
#include "src/ops/sampling/unit.h"

namespace weft {

extern const SamplingTable kSamplingTableScalar;
#if defined(__x86_64__)
extern const SamplingTable kSamplingTableAvx2;
extern const SamplingTable kSamplingTableAvx512;
#endif

namespace {

const SamplingTable& sampling_table(RowUnit unit) {
#if defined(__x86_64__)
  if (unit == RowUnit::cpu_avx512) return kSamplingTableAvx512;
  if (unit == RowUnit::cpu_avx2) return kSamplingTableAvx2;
#endif
  (void)unit;
  return kSamplingTableScalar;
}

// A row is looked at several times: worth a hand-over sooner than one that is copied.
int64_t row_bytes(const SamplingSpec& spec) {
  return int64_t{8} * spec.vocab_size * size_of(spec.dtype);
}

}  // namespace

void run_sampling_cpu(const SamplingSpec& spec, const SamplingParams& params,
                      const Executor& executor) {
  const SamplingTable& table = sampling_table(spec.unit);
  parallel_rows(executor, params.n, row_bytes(spec), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) table.draw(spec, params, i);
  });
}

void run_filter_cpu(const SamplingSpec& spec, const SamplingParams& params, DType dtype_out,
                    const Executor& executor) {
  const SamplingTable& table = sampling_table(spec.unit);
  parallel_rows(executor, params.n, row_bytes(spec), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) table.filter(spec, params, dtype_out, i);
  });
}

}  // namespace weft
