// SPDX-License-Identifier: Apache-2.0
// The CPU executor of attention: finds the unit's code and drains the plan's workers.
#include <string>

#include "src/base/check.h"
#include "src/ops/attention/cpu/unit.h"

namespace weft {

const AttentionCpuUnit& attention_cpu_unit(AttentionUnit unit) {
  switch (unit) {
    case AttentionUnit::cpu_scalar:
      return kAttentionScalar;
#if defined(__x86_64__)
    case AttentionUnit::cpu_avx2:
      return kAttentionAvx2;
    case AttentionUnit::cpu_avx512:
      return kAttentionAvx512;
    case AttentionUnit::cpu_avx512_bf16:
      return kAttentionAvx512Bf16;
    case AttentionUnit::cpu_amx_bf16:
      return kAttentionAmxBf16;
#endif
    default:
      fail(ErrorKind::unsupported, "unit", "one built for this architecture", name_of(unit));
  }
}

void attention_cpu_worker(const AttentionCpuUnit& unit, const AttentionSpec& spec,
                          const AttentionParams& params, std::atomic<int>& ticket, void* scratch) {
  const int lanes = spec.schedule.head_lanes;
  const int workers = spec.schedule.num_workers();
  unit.begin(spec, scratch);
  for (int w; (w = ticket.fetch_add(1, std::memory_order_relaxed)) < workers;) {
    const int group = w / lanes;
    const int32_t begin = params.work_indptr[group];
    unit.run_items(spec, params, params.items + begin, params.work_indptr[group + 1] - begin,
                   w % lanes, scratch);
  }
  unit.end();
}

}  // namespace weft
