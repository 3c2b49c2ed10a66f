// SPDX-License-Identifier: Apache-2.0
// topk on the CPU: rows in parallel, each by one thread; the order of what was selected.
#include <algorithm>
#include <cstring>

#include "kernels/sampling/mass.h"
#include "src/cpu/parallel_rows.h"
#include "src/ops/topk/rooms.h"
#include "src/ops/topk/unit.h"

namespace weft {

extern const TopkTable kTopkTableScalar;
#if defined(__x86_64__)
extern const TopkTable kTopkTableAvx2;
extern const TopkTable kTopkTableAvx512;
#endif

namespace {

const TopkTable& topk_table(RowUnit unit) {
#if defined(__x86_64__)
  if (unit == RowUnit::cpu_avx512) return kTopkTableAvx512;
  if (unit == RowUnit::cpu_avx2) return kTopkTableAvx2;
#endif
  (void)unit;
  return kTopkTableScalar;
}

// -infinity in `dtype`, of which only the upper bytes differ from 0.
void put_nothing(char* value, DType dtype) {
  const uint32_t f32 = 0xff800000u;
  const uint16_t half = dtype == DType::f16 ? 0xfc00 : 0xff80;
  if (dtype == DType::f32) std::memcpy(value, &f32, sizeof(f32));
  if (dtype != DType::f32) std::memcpy(value, &half, sizeof(half));
}

void run_row(const TopkSpec& spec, const TopkTable& table, const TopkParams& p, int64_t i) {
  uint64_t best[kMostTopk];
  const TopkRow row = topk_row(p, i);
  const int count = row.length == 0 ? 0 : table.select(spec, p, row, i, best);
  if (spec.sorted) std::sort(best, best + count, [](uint64_t a, uint64_t b) { return a > b; });
  const int64_t size = size_of(spec.dtype);
  const char* in = static_cast<const char*>(p.input) + (i * p.input_stride + row.start) * size;
  char* values = static_cast<char*>(p.values) + i * p.values_stride * size;
  for (int e = 0; e < p.k; ++e) {
    const int32_t at = e < count ? position_of(best[e]) : -1;
    p.indices[i * p.indices_stride + e] = e < count ? topk_index(p, row, i, at) : -1;
    if (p.values == nullptr) continue;
    if (e < count) {
      std::memcpy(values + e * size, in + at * size, static_cast<size_t>(size));
    } else {
      put_nothing(values + e * size, spec.dtype);
    }
  }
}

}  // namespace

void run_topk_cpu(const TopkSpec& spec, const TopkParams& params, const Executor& executor) {
  const TopkTable& table = topk_table(spec.unit);
  const int64_t bytes = int64_t{3} * params.max_len * size_of(spec.dtype);
  parallel_rows(executor, params.n, bytes, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) run_row(spec, table, params, i);
  });
}

}  // namespace weft
