// SPDX-License-Identifier: Apache-2.0
// merge on the CPU: rows in parallel, long rows cut between heads.
#include "src/base/check.h"
#include "src/cpu/parallel_rows.h"
#include "src/ops/merge/rooms.h"
#include "src/ops/merge/unit.h"

namespace weft {

extern const MergeTable kMergeTableScalar;
#if defined(__x86_64__)
extern const MergeTable kMergeTableAvx2;
extern const MergeTable kMergeTableAvx512;
#endif

namespace {

// Heads are cut at multiples of the widest unit's lanes.
constexpr int kHeadStep = 16;
constexpr float kLog2E = 1.44269504088896340736f;

const MergeTable& merge_table(RowUnit unit) {
#if defined(__x86_64__)
  if (unit == RowUnit::cpu_avx512) return kMergeTableAvx512;
  if (unit == RowUnit::cpu_avx2) return kMergeTableAvx2;
#endif
  (void)unit;
  return kMergeTableScalar;
}

MergeRow row_of(const MergeSpec& spec, const MergeParams& p, int64_t row, int head_begin,
                int head_end) {
  const int64_t size = size_of(spec.dtype), size_o = size_of(spec.dtype_o);
  const int64_t h = head_begin;
  return {.o_first = static_cast<const char*>(p.o_first) +
                     (row * p.o_first_stride_row + h * p.o_first_stride_head) * size,
          .o_rest = static_cast<const char*>(p.o_rest) +
                    (row * p.o_rest_stride_row + h * p.o_rest_stride_head) * size,
          .o_first_stride_head = p.o_first_stride_head * size,
          .o_rest_stride_head = p.o_rest_stride_head * size,
          .o_rest_stride_state = p.o_rest_stride_state * size,
          .lse_first = p.lse_first + row * p.lse_first_stride_row + h,
          .lse_rest = p.lse_rest + row * p.lse_rest_stride_row + h,
          .lse_rest_stride_state = p.lse_rest_stride_state,
          .o = static_cast<char*>(p.o) + (row * p.o_stride_row + h * p.o_stride_head) * size_o,
          .o_stride_head = p.o_stride_head * size_o,
          .lse = p.lse == nullptr ? nullptr : p.lse + row * p.lse_stride_row + h,
          .num_states = p.mask != nullptr && p.mask[row] == 0 ? 1 : p.num_states,
          .num_heads = head_end - head_begin,
          .head_dim = spec.head_dim,
          .to_base2 = spec.lse_base2 ? 1.0f : kLog2E};
}

}  // namespace

void run_merge_cpu(const MergeSpec& spec, const MergeParams& params, const Executor& executor) {
  const MergeKernel kernel = merge_table(spec.unit).kernel(spec.dtype, spec.dtype_o);
  const int64_t states_bytes = int64_t{params.num_states} * size_of(spec.dtype);
  const int64_t head_bytes = spec.head_dim * (states_bytes + size_of(spec.dtype_o));
  const int64_t wanted = max_of<int64_t>(1, kTaskBytes / max_of<int64_t>(1, head_bytes));
  const int heads =
      static_cast<int>(min_of<int64_t>(spec.num_heads, round_up<int64_t>(wanted, kHeadStep)));
  const int pieces = ceil_div(spec.num_heads, heads);
  parallel_rows(executor, params.n * pieces, heads * head_bytes, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int head = static_cast<int>(i % pieces) * heads;
      kernel(row_of(spec, params, i / pieces, head, min_of(head + heads, spec.num_heads)));
    }
  });
}

}  // namespace weft
