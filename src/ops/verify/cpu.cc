// SPDX-License-Identifier: Apache-2.0
// Verify on the CPU: requests in parallel, each by one thread.
#include "src/cpu/parallel_rows.h"
#include "src/ops/verify/rooms.h"
#include "src/ops/verify/unit.h"

namespace weft {

extern const VerifyTable kVerifyTableScalar;
#if defined(__x86_64__)
extern const VerifyTable kVerifyTableAvx2;
extern const VerifyTable kVerifyTableAvx512;
#endif

namespace {

const VerifyTable& verify_table(RowUnit unit) {
#if defined(__x86_64__)
  if (unit == RowUnit::cpu_avx512) return kVerifyTableAvx512;
  if (unit == RowUnit::cpu_avx2) return kVerifyTableAvx2;
#endif
  (void)unit;
  return kVerifyTableScalar;
}

}  // namespace

void run_verify_cpu(const VerifySpec& spec, const VerifyParams& params, const Executor& executor) {
  const VerifyTable& table = verify_table(spec.unit);
  const int64_t bytes = int64_t{6} * params.vocab_size * size_of(spec.dtype);
  parallel_rows(executor, params.n, bytes, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) table.request(spec, params, i);
  });
}

}  // namespace weft
