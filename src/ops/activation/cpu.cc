// SPDX-License-Identifier: Apache-2.0
// activation on the CPU: rows in parallel, long rows in pieces.
#include "src/cpu/parallel_rows.h"
#include "src/ops/activation/rooms.h"
#include "src/ops/activation/unit.h"

namespace weft {

extern const ActivationTable kActivationTableScalar;
#if defined(__x86_64__)
extern const ActivationTable kActivationTableAvx2;
extern const ActivationTable kActivationTableAvx512;
#endif

namespace {

// So that a single long row is worth several threads. A multiple of every unit's lanes.
constexpr int kPiece = 8192;

const ActivationTable& activation_table(RowUnit unit) {
#if defined(__x86_64__)
  if (unit == RowUnit::cpu_avx512) return kActivationTableAvx512;
  if (unit == RowUnit::cpu_avx2) return kActivationTableAvx2;
#endif
  (void)unit;
  return kActivationTableScalar;
}

}  // namespace

void run_activation_cpu(const ActivationSpec& spec, const ActivationParams& p,
                        const Executor& executor) {
  const ActivationKernel kernel =
      activation_table(spec.unit).kernel(spec.kind, spec.dtype, spec.dtype_out);
  const int64_t in = size_of(spec.dtype), out = size_of(spec.dtype_out);
  const int pieces = ceil_div(spec.hidden, kPiece), piece = min_of(spec.hidden, kPiece);
  const float scale = p.scales == nullptr ? p.scale : p.scale / p.scales[0];
  parallel_rows(executor, p.n * pieces, piece * (2 * in + out), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / pieces;
      const int first = static_cast<int>(i % pieces) * kPiece;
      const int64_t from = (row * p.x_stride + first) * in;
      kernel({.gate = static_cast<const char*>(p.gate) + from,
              .up = static_cast<const char*>(p.up) + from,
              .out = static_cast<char*>(p.out) + (row * p.out_stride + first) * out,
              .count = min_of(kPiece, spec.hidden - first),
              .scale = scale});
    }
  });
}

}  // namespace weft
