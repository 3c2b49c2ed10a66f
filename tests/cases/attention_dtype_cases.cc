// SPDX-License-Identifier: Apache-2.0
// Every combination of the dtypes of q, KV and o.
#include "tests/cases/attention_case.h"

namespace weft::cases {

std::vector<AttentionCase> dtype_cases() {
  std::vector<AttentionCase> out;
  for (const DType q : {DType::f32, DType::f16, DType::bf16}) {
    for (const DType kv : {DType::f32, DType::f16, DType::bf16, DType::e4m3, DType::e5m2}) {
      for (const DType o : {DType::f32, DType::f16, DType::bf16}) {
        out.push_back(
            {.name = std::string("q_") + name_of(q) + "_kv_" + name_of(kv) + "_o_" + name_of(o),
             .q = q,
             .kv = kv,
             .o = o,
             .head_dim = 80,
             .layout = o == DType::f16 ? KvLayout::hnd : KvLayout::nhd,
             .requests = {{1, 330}, {5, 70}, {40, 41}},
             .k_scale = is_fp8(kv) ? 0.75f : 1.0f,
             .v_scale = is_fp8(kv) ? 1.5f : 1.0f});
      }
    }
  }
  return out;
}

}  // namespace weft::cases
