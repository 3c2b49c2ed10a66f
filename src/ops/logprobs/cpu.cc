// SPDX-License-Identifier: Apache-2.0
// Logprobs on the CPU: rows in parallel, each by one thread.
#include "src/cpu/parallel_rows.h"
#include "src/ops/logprobs/rooms.h"
#include "src/ops/logprobs/unit.h"

namespace weft {

extern const LogprobsTable kLogprobsTableScalar;
#if defined(__x86_64__)
extern const LogprobsTable kLogprobsTableAvx2;
extern const LogprobsTable kLogprobsTableAvx512;
#endif

namespace {

const LogprobsTable& logprobs_table(RowUnit unit) {
#if defined(__x86_64__)
  if (unit == RowUnit::cpu_avx512) return kLogprobsTableAvx512;
  if (unit == RowUnit::cpu_avx2) return kLogprobsTableAvx2;
#endif
  (void)unit;
  return kLogprobsTableScalar;
}

}  // namespace

void run_logprobs_cpu(const LogprobsSpec& spec, const LogprobsParams& params,
                      const Executor& executor) {
  const LogprobsTable& table = logprobs_table(spec.unit);
  const int64_t bytes = int64_t{8} * params.row.vocab_size * size_of(spec.dtype);
  parallel_rows(executor, params.row.n, bytes, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) table.sample(spec, params, i);
  });
}

}  // namespace weft
